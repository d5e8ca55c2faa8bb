"""Search problems whose answer is known: synthetic set functions, and measured tables replayed."""
