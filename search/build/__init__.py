"""From a study file to an evaluator: its corpora, its task, what it costs."""
