"""Models: who serves chat and vectors, in two tiers, within a memory budget.

Start with `protocol` (what a runtime must be able to do) and `runtime` (which one this process
has). Weights come from the hub the owner names by `embedded/files`, with a client of its own.
"""
