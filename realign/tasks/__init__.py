"""Tasks that an encoder is fine-tuned on and scored by: tagging, classification, retrieval."""
