"""What to try next: local search, genetic search, the fidelity ladder, samplers of Optuna."""
