"""Benchmarks: of the world, the evaluation core, fidelities, strategies, selection, transfer."""
