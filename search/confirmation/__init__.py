"""Scores of the best subsets on fresh seeds, their uncertainty, and which to recommend."""
