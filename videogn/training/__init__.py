"""Training and testing with Lightning: the task, its optimisation, and what makes a run resumable."""
