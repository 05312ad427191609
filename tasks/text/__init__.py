"""Text: bytes to text, and what can be told of a text by itself.

Start with `decoding` (which encoding), `splitting` (text to chunks) and `language` (Japanese or
English). Everybody may import it; it imports no other room.
"""
