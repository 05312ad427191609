"""Evaluation: may a trained model be served? Start with `judge`."""
