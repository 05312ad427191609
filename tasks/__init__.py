"""How one step is done, and what may go wrong."""
