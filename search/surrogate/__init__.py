"""The surrogate model: Gaussian process, kernels, acquisition, prior knowledge, importance."""
