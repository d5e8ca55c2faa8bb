"""Evaluators other than the real one: wrappers (cache, retries), the fake, a measured table, single languages."""
