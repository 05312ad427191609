"""What happens, in which order, and when it stops."""
