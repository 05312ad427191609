"""Status: how things stand, read only. Start with `doctor`."""
