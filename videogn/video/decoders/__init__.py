"""A path and frame numbers to uint8 frames: one frame table, and the readers behind one door."""
