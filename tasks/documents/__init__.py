"""Documents: the owner's files to text. Start with `files` (`walk`, `read`)."""
