"""Weights: the served model as it can be trained, and back. Start with `conversion` and `merging`.

A model hub is asked by `base` alone, where the owner names one, with a client of its own.
"""
