"""The hub's data sets: what each calls its languages, splits, columns and labels, and how its files are read."""
