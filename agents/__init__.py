"""Which decisions a model makes."""
