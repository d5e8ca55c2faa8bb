"""The report of a study: what was found, its plots, one HTML page."""
