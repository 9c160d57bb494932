"""Scoring of many videos: inputs, rows, and the parts that a killed run leaves whole."""
