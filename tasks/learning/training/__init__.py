"""Training: a data set and a base to an adapter, in a process of its own. Start with `finetune`."""
