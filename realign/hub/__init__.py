"""Data sets of the hub: their languages, splits, columns and labels, and the reading of their files."""
