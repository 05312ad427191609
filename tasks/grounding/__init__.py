"""Grounding: may a sentence be believed? Arithmetic and words decide, no model does.

Start with `claims` (sentences held against passages) and `findings` (against computed findings).
"""
