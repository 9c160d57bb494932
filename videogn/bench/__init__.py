"""Time that loading videos takes, and where it goes; measured with the loader's own code."""
