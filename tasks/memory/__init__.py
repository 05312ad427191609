"""Memory: what is kept and how it is found again.

Start with `store` (the one writer), `indexing` (what is remembered), `retrieval` (recall) and
`ingestion` (files). What others may use of it by its name is handed on here.
"""

from tasks.memory.indexing import forget as forget
from tasks.memory.indexing import remember as remember
from tasks.memory.retrieval import recall as recall
