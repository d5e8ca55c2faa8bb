"""The export of a confirmed subset, and the cards of exports and realigned models."""
