"""Algorithms that choose: greedy and swap, separable sums, and exact programs."""
