"""Realignment itself: settings, loss, batches, optimizer, adapters, checkpoints, pretraining."""
