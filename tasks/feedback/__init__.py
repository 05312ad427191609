"""Feedback: what the owner says of answers, and what it changes in memory.

Start with `turns` (what was asked and answered), `examples` (what is taught) and `refinement` (the
night's work). A corrected answer is given its place by `corrections`, and by
`tasks.memory.superseding` when it is recalled.
"""
