"""Extraction: where an analysis' data come from. Start with `extract`."""
