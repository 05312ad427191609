"""Tables: files of any make to typed columns, held against expectations, counted into cubes.

Start with `loading` (files to a relation), `validation` (may they be believed) and `aggregation`
(one scan to the series of a cube).
"""
