"""A page in the browser that classifies the video that is dropped on it."""
