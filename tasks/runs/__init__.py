"""Runs: when one starts, whether it may, and what came of it.

Start with `gate` (may it start now; `admission` reads the sensors and puts a run off), `schedule`
(when it is due, what became of a missed time) and `outcomes` (`accountable`, the decorator of
every flow). Nothing below this room knows of Prefect.
"""
