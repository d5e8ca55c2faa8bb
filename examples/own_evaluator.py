"""Search with an evaluator of your own: any function of a subset, a fidelity and a seed.

This one stands for your training script: a target scores higher, the nearer the subset comes to it.
"""

import tempfile
from pathlib import Path

import numpy as np

import realingo

POOL = ["arb", "deu", "fin", "fra", "hin", "jpn", "swh", "tur"]
STUDY = f"""
name = "mine"
pool = {{languages = {POOL}, k = 3}}
search = {{trials = 12}}
"""
FAR = realingo.distances(POOL).to_dataframe()


def evaluate(subset, fidelity, seed):
    noise = np.random.default_rng([seed, *subset.key.encode()]).normal(scale=0.01, size=len(POOL))
    if not len(subset):  # without realignment
        return dict.fromkeys(POOL, 0.3)
    nearest = FAR.loc[list(subset.codes)].min()
    return {code: 0.8 - nearest[code] + noise[place] for place, code in enumerate(POOL)}


folder = Path(tempfile.mkdtemp())
(folder / "study.toml").write_text(STUDY)
study = realingo.load_study(folder / "study.toml")
status = realingo.search(study, evaluator=evaluate)
print("best of", status.trials["complete"], "trials:", " ".join(status.best.languages), round(status.best.value, 3))
confirmation = realingo.confirm(study, top=1, seeds=3, evaluator=evaluate)
print(confirmation.to_dataframe()[["mean", "low", "high", "vs_none", "vs_random"]].round(3))
