"""Web pages: what a page says. HTML to main text, links and metadata, by rules and small trees.

Start with `articles` (`main_text`). It never fetches: that is `tasks.web`.
"""
