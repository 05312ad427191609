"""The web: the one safe way to fetch from outside.

Start with `fetch` (one request, bounded, to public addresses only) and `crawling` (a page, read
politely). Only `analysis` and `newsroom` may import it: documents, memory, feedback and learning
cannot fetch by construction.
"""
