"""Services: the processes that stay up, and who keeps them up. Start with `supervise`."""
