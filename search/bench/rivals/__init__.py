"""Searches of other people, to compare with: each proposes subsets from the past."""
