"""The study file and the realignment file: how they are read and validated."""
