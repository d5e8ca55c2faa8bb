"""Task vectors: the weight differences that one language brings, and encoders merged from them."""
