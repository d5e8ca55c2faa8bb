"""The study: its trials, its storage, who may write to it, where its results come from."""
