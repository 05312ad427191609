"""What runs, when and in which process; and the command line."""
