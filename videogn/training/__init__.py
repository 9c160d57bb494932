"""Training and testing with Lightning: the task, its optimisation, resuming, callbacks."""
