"""The newsroom: what is watched, taken, researched, drafted and published.

Start with `monitoring` (what is new), `research` (a story followed) and `drafts` (what waits for
the owner).
"""
