"""How a study begins: what lies in a folder of data, and a study file with comments that fits it."""
