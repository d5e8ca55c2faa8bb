"""An encoder, its token states, packed batches, the rows of its embedding in use, arrays on disk."""
