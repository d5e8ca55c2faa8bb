"""How much realignment on one language helps another: published results, and a model fitted to them."""
