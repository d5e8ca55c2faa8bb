"""Distances between languages: metrics, masked features, a matrix or a table of the user."""
