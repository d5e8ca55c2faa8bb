"""Computed data that is found again: flat arrays on disk, and the samples of parallel text stored there."""
