"""Four of twelve languages, at most two of a family, for a toy score."""

import optuna
import optunahub

module = optunahub.load_module("samplers/realingo_subset")

CODES = ["arb", "cmn", "deu", "fin", "fra", "hin", "jpn", "swh", "tam", "tur", "vie", "yor"]
GOOD = {"deu", "fin", "swh", "tam"}

space = module.Space(CODES, k=4, quotas=["family=2"])


def objective(trial: optuna.Trial) -> float:
    chosen = {code for code in CODES if trial.suggest_categorical(code, (False, True))}
    return len(chosen & GOOD) / 4


study = optuna.create_study(direction="maximize", sampler=module.SubsetSampler(space, seed=1))
study.optimize(objective, n_trials=40)
print(study.best_trial.user_attrs["subset"], study.best_value)
