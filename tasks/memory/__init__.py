"""Memory: what is kept and how it is found again.

Start with `indexing` (the only writer of documents and chunks), `retrieval` (recall) and
`ingestion` (files); `store` is how every room writes its own tables, one at a time. What others
may call by the room's name is handed on here.
"""

from tasks.memory.indexing import forget as forget
from tasks.memory.indexing import remember as remember
from tasks.memory.retrieval import recall as recall
