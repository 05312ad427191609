"""Analysis: data of the owner's to a report whose numbers are true.

Start with `definitions` (the YAML files), `examination` (may the data be believed), `insights`
(which findings are told) and `report`.
"""
