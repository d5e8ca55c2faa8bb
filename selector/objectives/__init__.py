"""What a chosen set of languages is worth: dispersion among the chosen, closeness to the targets."""
