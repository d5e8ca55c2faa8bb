"""Draw what was confirmed, with its intervals, from the values that `realingo.confirm` returns."""

import sys
import tempfile
from pathlib import Path

import matplotlib

import realingo

matplotlib.use("Agg")  # no window
from matplotlib import pyplot as plt

STUDY = """
name = "rehearsal"
[pool]
languages = "world"
k = 4
[model]
base = {kind = "fake"}  # a rehearsal: no encoder, an answer at once
"""

folder = Path(tempfile.mkdtemp())
(folder / "study.toml").write_text(STUDY)
study = realingo.load_study(folder / "study.toml")
realingo.search(study, trials=15)
table = realingo.confirm(study, top=2, seeds=3).to_dataframe().sort_values("mean")

figure, axes = plt.subplots(figsize=(6, 3), layout="constrained")
errors = [table["mean"] - table["low"], table["high"] - table["mean"]]
axes.errorbar(100 * table["mean"], table.index, xerr=[100 * each for each in errors], fmt="o")
axes.set_xlabel("zero-shot accuracy, %, with 95 % intervals")
target = Path(sys.argv[1] if len(sys.argv) > 1 else folder / "confirmed.png")
figure.savefig(target)
print(target)
