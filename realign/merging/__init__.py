"""Differences of weights that one language brings, and encoders put together from them."""
