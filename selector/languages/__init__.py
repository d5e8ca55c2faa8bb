"""A language, a subset of languages, and what a language belongs to: genus, resource class, named pool."""
