"""Reports: how it is told. Charts, pages, the shift report, a model's verdict.

Start with `shift` (the morning's report) and `rendering` (Markdown to a page of its own).
"""
