"""The words every room shares: settings, records, errors and the outcome of a run."""
