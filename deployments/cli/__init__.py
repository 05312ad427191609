"""The command line: parses, calls one room below, prints. Start with `app`."""
