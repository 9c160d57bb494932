"""Results of several tests, or of two studies, against one another. Nothing here needs torch."""
