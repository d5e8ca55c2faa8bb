"""From a core to an evaluator: its corpora, its task, what it reads."""
