"""The web: the one safe way to fetch from outside.

Start with `fetch` (one request, bounded), `addresses` (which are refused) and `crawling` (a page,
read politely). In tasks/ only `analysis` and `newsroom` may import it: documents, memory, feedback
and learning cannot fetch by construction.
"""
