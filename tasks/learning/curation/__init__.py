"""Curation: what was taught as data sets. Start with `dataset`."""
