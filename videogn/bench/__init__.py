"""Where the time and the memory of loading videos go; each module measures one thing with the loader's own code."""
