"""The runner: starts runs in processes that wait for them, and cares for those it lost.

Start with `serve` (the process), `warm` (standbys for Prefect's starter) and `reconcile` (after
sleep, power loss or a jump of the clock).
"""
