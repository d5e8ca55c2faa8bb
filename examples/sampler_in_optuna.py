"""Choose languages together with other settings in an Optuna study of your own."""

import optuna

import realingo

space = realingo.Space(["deu", "fra", "tur", "swh", "jpn", "hin", "fin", "arb"], k=(2, 4), quotas=["family=2"])
evaluate = realingo.FakeEvaluator(space.pool, targets="world")  # in place of your training
fidelity = realingo.Fidelity(pairs=1000, steps=100, examples=50)


def objective(trial):
    rate = trial.suggest_float("learning rate", 1e-6, 1e-3, log=True)
    chosen = [each.code for each in space.pool if trial.suggest_categorical(each.code, (False, True))]
    return evaluate(realingo.Subset.of(chosen), fidelity, seed=0).value - 0.01 * abs(rate - 1e-4)


optuna.logging.set_verbosity(optuna.logging.WARNING)
study = optuna.create_study(direction="maximize", sampler=realingo.SubsetSampler(space, seed=1))
study.optimize(objective, n_trials=30)
print("best:", study.best_trial.user_attrs["subset"], round(study.best_value, 3))
