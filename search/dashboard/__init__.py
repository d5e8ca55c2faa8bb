"""Optuna's dashboard on a study, with notes and plots."""
