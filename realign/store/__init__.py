"""What was computed once and is found again: flat arrays on disk, and the samples of parallel text kept there."""
