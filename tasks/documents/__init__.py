"""Documents: the owner's files to text. Start with `files` (`walk`, `read`).

Every way a file can be bad is a DocumentUnreadable; it never fetches: that is `tasks.web`.
"""
