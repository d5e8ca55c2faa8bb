"""The transfer model: recovers what it was made from, agrees with its own definition, and bad tables are refused."""

import json
import subprocess
import sys
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.bench import transfer as bench_transfer
from search.cli.entry import exit_status
from selector.errors import InputError
from selector.languages.language import parse, parse_pool
from selector.languages.pools import NAMED
from selector.problem import pose
from selector.strategy import solve
from selector.transfer import mixed_model, published
from selector.transfer import predict as transfer
from selector.transfer.covariates import GROUPS, Affinity
from selector.transfer.left_out import LeaveOneOutErrors
from selector.transfer.pooled import MOST, PooledModel
from selector.transfer.transfer_model import COLUMNS, Observations, TransferModel

ENG = parse("eng")
SMALL = parse_pool("deu,nld,fra,spa,rus,hin,tur,fin,swh,yor,vie,cmn")


def affinity(languages=SMALL):
    return Affinity(languages, ENG, transfer.PRETRAINED)


def data(rng, T=4, L=6, p=5, missing=False):
    M = np.stack([np.ones((L, L)), np.eye(L)])
    y = rng.normal(size=(T, L))
    if missing:
        y[0, 2] = np.nan
    groups = np.array([0, 0, 1, 1, 2])
    return mixed_model.Measurements(
        y, rng.normal(size=(T, L, p)), groups, M, rng.uniform(0.5, 2, T), rng.uniform(0.5, 1.5, (T, L))
    )


def dense(found, scales):
    """The covariance of all measurements [T L, T L] as the Notations define it."""
    T, L, p = found.X.shape
    X = found.X.reshape(T * L, p)
    K = (X * scales.columns[found.groups]) @ X.T + np.diag(scales.noise * found.v.ravel())
    for t in range(T):
        block = slice(t * L, (t + 1) * L)
        K[block, block] += found.r[t] ** 2 * np.einsum("j,jlm->lm", scales.kernels, found.M)
    return K


SCALES = mixed_model.Scales(np.array([0.5, 2.0, 0.1]), np.array([0.7, 0.3]), 1.4)


@given(st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_evidence_is_that_of_the_dense_normal(seed):
    found = data(np.random.default_rng(seed))
    K, y = dense(found, SCALES), found.y.ravel()
    expected = -0.5 * (np.linalg.slogdet(K)[1] + y @ np.linalg.solve(K, y))
    assert mixed_model.evidence(found, SCALES)[0] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("missing", [False, True])
def test_gradient_is_the_slope_of_the_evidence(missing):
    found = data(np.random.default_rng(3), missing=missing)
    theta = np.log(np.concatenate([SCALES.columns, SCALES.kernels, [SCALES.noise]]))

    def at(point):
        size = np.exp(point)
        return mixed_model.evidence(found, mixed_model.Scales(size[:3], size[3:5], float(size[5])))

    steps = np.eye(len(theta)) * 1e-5
    slopes = [(at(theta + step)[0] - at(theta - step)[0]) / 2e-5 for step in steps]
    np.testing.assert_allclose(at(theta)[1], slopes, rtol=1e-4, atol=1e-5)


def test_what_is_missing_changes_nothing():
    rng = np.random.default_rng(5)
    found = data(rng, missing=True)
    other = mixed_model.Measurements(
        found.y, found.X, found.groups, found.M, found.r, np.where(np.isnan(found.y), 99.0, found.v)
    )
    np.testing.assert_allclose(mixed_model.fit(found, SCALES).mean, mixed_model.fit(other, SCALES).mean, atol=1e-6)


def test_maximized_scales_beat_others():
    found = data(np.random.default_rng(7), T=6, L=10)
    best = mixed_model.maximize(found)
    for factor in (0.2, 5.0):
        worse = mixed_model.Scales(best.columns, best.kernels, best.noise * factor)
        assert mixed_model.evidence(found, worse)[0] < mixed_model.evidence(found, best)[0]


def observed(rng, noise=0.05, effect=3.0):
    """Members gain `effect`, the others what their nearest relative gives; every pair and some triples of SMALL."""
    a = affinity()
    lists = [(pair,) for pair in combinations(SMALL, 2)][:40]
    member = np.array([[x in draws[0] for x in SMALL] for draws in lists], dtype=float)
    gain = 1.0 + effect * member + rng.normal(0, noise, member.shape)
    return a, Observations(lists, SMALL, gain, np.full(gain.shape, noise**2), np.linspace(40, 80, len(SMALL)))


def test_it_learns_what_membership_is_worth():
    a, observations = observed(np.random.default_rng(0))
    model = TransferModel(observations, a)
    new = tuple(parse_pool("cmn,vie"))
    mean = model.predict([(new,)], SMALL).mean[0]
    inside = np.array([x in new for x in SMALL])
    assert mean[inside] == pytest.approx(4.0, abs=0.6)
    assert mean[~inside] == pytest.approx(1.0, abs=0.4)


def test_quick_mean_equals_the_full_prediction():
    a, observations = observed(np.random.default_rng(1))
    model = TransferModel(observations, a)
    new = tuple(parse_pool("deu,swh"))
    full = model.predict([(new,)], SMALL).mean[0]
    np.testing.assert_allclose(model.mean(a.index(new)[None], SMALL)[0], full, rtol=1e-8)


def test_several_draws_are_the_mean_of_their_columns():
    a = affinity()
    model = TransferModel(observed(np.random.default_rng(2))[1], a)
    one, other = (tuple(parse_pool(codes)) for codes in ("deu,swh", "hin,cmn"))
    apart = model.predict([(one,), (other,)], SMALL).mean.mean(axis=0)
    np.testing.assert_allclose(model.predict([(one, other)], SMALL).mean[0], apart, rtol=1e-8)


def test_fewer_measurements_wider_intervals_and_gaps_are_allowed():
    a, full = observed(np.random.default_rng(4))
    scales = TransferModel(full, a).scales
    gain = full.gain.copy()
    gain[5:, 3] = np.nan
    gappy = Observations(full.lists, full.targets, gain, full.variance, full.baseline)
    new = [(tuple(parse_pool("cmn,vie")),)]
    wide = TransferModel(gappy, a, scales).predict(new, SMALL).covariance[0][3, 3]
    assert wide > TransferModel(full, a, scales).predict(new, SMALL).covariance[0][3, 3]


@given(st.permutations(range(5)), st.integers(0, 5))
@settings(max_examples=25, deadline=None)
def test_columns_ignore_the_order_of_members(order, target):
    a = affinity()
    S, targets = a.index(SMALL[:5]), a.index(SMALL[target : target + 2])
    columns = a.columns(S[None], targets)
    assert columns.shape == (1, 2, len(GROUPS))
    np.testing.assert_allclose(columns, a.columns(S[list(order)][None], targets), atol=1e-12)


def test_intervals_are_wider_for_languages_without_published_results():
    subset = parse_pool("yor,deu,cmn")
    told = transfer.explain(subset, parse_pool("wol,ibo,xmv,tat")).tasks[0]
    width = {code: gain.high - gain.low for code, gain in told.targets.items()}
    assert told.measured == {"wol", "ibo"}
    assert told.average.low < told.average.mean < told.average.high
    assert width["xmv"] > max(width["wol"], width["ibo"])  # neither was seen in pretraining


def test_predicted_is_deterministic_keeps_demands_and_beats_random():
    pool = parse_pool("paper-65")
    problem = pose(
        pool, 4, source=ENG, include=parse_pool("deu"), exclude=parse_pool("yor"), targets=parse_pool("wol,fra")
    )
    chosen = solve("predicted", problem)
    assert chosen.subset == solve("predicted", problem).subset
    assert len(chosen.subset) == 4
    assert parse("deu") in chosen.subset
    assert parse("yor") not in chosen.subset
    function = transfer.MeanGain(problem.frame, problem.targets, problem.weights)
    rng = np.random.default_rng(0)
    draws = [function.value([*problem.pinned, *rng.choice(problem.free, 3, replace=False)]) for _ in range(200)]
    assert chosen.value > max(draws)


def test_with_each_is_the_value_of_each():
    problem = pose(SMALL, 3)
    function = transfer.MeanGain(problem.frame, problem.targets, problem.weights)
    values, _ = function.with_each([2, 7])
    expected = [function.value(sorted({2, 7, i})) for i in range(len(SMALL))]
    np.testing.assert_allclose(values, expected, rtol=1e-9)
    assert function.value([]) == 0.0


def test_select_tells_what_is_predicted_and_how_sure_it_is(capsys):
    given = ["select", "--pool", "deu,tur,hin,swh,yor", "-k2", "--strategy=predicted", "--targets", "hau,fao,spa"]
    assert exit_status([*given, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [each["task"] for each in answer["prediction"]] == list(published.TASKS)
    assert answer["pooled"]["task"] is None
    for each in answer["prediction"]:
        assert each["ci90"][0] < each["gain"] < each["ci90"][1]
        assert each["gain"] == pytest.approx(np.mean([gain for gain, _, _ in each["per_target"].values()]))
    pos = answer["prediction"][0]
    assert set(pos["per_target"]) == {"hau", "fao", "spa"}
    assert "spa" in pos["published"]
    assert exit_status(given) == 0
    assert "A study measures it" in " ".join(capsys.readouterr().out.split())


def test_a_task_is_asked_for_and_an_unknown_one_is_answered_by_all(capsys):
    given = ["select", "--pool", "deu,tur,hin,swh,yor", "-k2", "--strategy=predicted", "--targets", "hau,fao,spa"]
    assert exit_status([*given, "--task", "ner", "--json"]) == 0
    known = json.loads(capsys.readouterr().out)
    assert "pooled" not in known
    ner = next(each for each in known["prediction"] if each["task"] == "ner")
    assert known["objective"]["value"] == pytest.approx(ner["gain"])
    assert exit_status([*given, "--task", "parsing", "--json"]) == 0
    unknown = json.loads(capsys.readouterr().out)["pooled"]
    assert unknown["task"] == "parsing"
    widths = [each["ci90"][1] - each["ci90"][0] for each in known["prediction"]]
    assert unknown["ci90"][1] - unknown["ci90"][0] > np.mean(widths)
    assert exit_status([*given, "--task", "parsing"]) == 0
    assert "'parsing' has no published results" in " ".join(capsys.readouterr().out.split())


def test_a_task_means_nothing_to_other_strategies(capsys):
    assert exit_status(["select", "--pool", "deu,tur,hin", "-k2", "--task", "pos"]) == 2
    assert "--task has no meaning with strategy facility" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["xlm-roberta-base", "FacebookAI/xlm-roberta-base", "XLMR"])
def test_the_published_encoder_changes_nothing(name, capsys):
    given = ["select", "--pool", "deu,tur,hin,swh,yor", "-k2", "--strategy=predicted", "--task=ner", "--json"]
    assert exit_status(given) == 0
    plain = json.loads(capsys.readouterr().out)
    assert exit_status([*given, "--encoder", name]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["prediction"] == plain["prediction"]
    assert told["encoder"] == {"name": name, "published": True}


@pytest.mark.parametrize("task", ["ner", "parsing"])
def test_an_encoder_without_results_gets_wider_intervals_of_the_same_gains(task, capsys):
    given = ["select", "--pool", "deu,tur,hin,swh,yor", "-k2", "--strategy=predicted", "--task", task]
    assert exit_status([*given, "--json"]) == 0
    plain = json.loads(capsys.readouterr().out)
    assert exit_status([*given, "--encoder", "xlm-roberta-large", "--json"]) == 0
    other = json.loads(capsys.readouterr().out)
    assert other["encoder"] == {"name": "xlm-roberta-large", "published": False}
    rows = [*zip(plain["prediction"], other["prediction"], strict=True)]
    rows += [(plain["pooled"], other["pooled"])] if "pooled" in plain else []
    for known, unknown in rows:
        assert unknown["gain"] == known["gain"]
        assert unknown["ci90"][1] - unknown["ci90"][0] > known["ci90"][1] - known["ci90"][0] + 1.0
    assert exit_status([*given, "--encoder", "xlm-roberta-large"]) == 0
    assert "'xlm-roberta-large' has no published results" in " ".join(capsys.readouterr().out.split())


def test_an_encoder_means_nothing_to_other_strategies(capsys):
    assert exit_status(["select", "--pool", "deu,tur,hin", "-k2", "--encoder", "xlmr"]) == 2
    assert "--encoder has no meaning with strategy facility" in capsys.readouterr().err


def test_predicted_refuses_another_source_and_too_many_languages():
    with pytest.raises(InputError, match="not fra"):
        transfer.choose_by_prediction(pose(SMALL, 2, source=parse("fra")), np.random.default_rng(0))


def test_shipped_scales_are_the_best_for_the_shipped_facts():
    """Made by studies/paper-subsets/scales.py; a change of the columns must be followed by running it again."""
    scales = transfer.load_scales()
    assert set(scales) == set(published.TASKS)
    assert all(len(found.columns) == len(COLUMNS) for found in scales.values())
    results = published.load_published("americasnli")
    model = transfer.prior("americasnli", ())
    assert TransferModel(Observations.of(results), model.affinity).scales.noise == pytest.approx(
        scales["americasnli"].noise, rel=0.02
    )


@pytest.mark.parametrize(("task", "targets"), [("pos", 53), ("ner", 63), ("xnli", 31), ("americasnli", 10)])
def test_shipped_facts(task, targets):
    """Counts as in arXiv 2511.06497: 49 fixed lists, three of them the same, and 12 that draw by seed."""
    results = published.load_published(task)
    assert (results.single.sum(), len(results.lists), len(results.targets)) == (47, 59, targets)
    assert (results.sizes[results.single] == 10).sum() == 26
    assert ENG not in results.targets
    everyone = next(d[0] for d in results.lists if len(d[0]) == 65)
    assert {x.code for x in everyone} == set(NAMED["paper-65"])


def table(folder, change=lambda rows: rows, lists=None, codes=None):
    """A small table in the published form, written to files; `change` spoils its rows."""
    rng = np.random.default_rng(0)
    subsets = lists or {f"list{i}": [SMALL[j].code for j in (i % 12, (i + 3) % 12, (i + 7) % 12)] for i in range(12)}
    rows = [["baseline", x.code, "50", "0.5"] for x in SMALL]
    rows += [
        [name, x.code, f"{52 + 3 * (x.code in members) + rng.normal():.3f}", "0.5"]
        for name, members in subsets.items()
        for x in SMALL
    ]
    lines = ["strategy,language,mean,std", *(",".join(row) for row in change(rows))]
    (folder / "r.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "s.json").write_text(json.dumps(subsets), encoding="utf-8")
    return str(folder / "r.csv"), str(folder / "s.json")


def test_bench_on_a_users_table(tmp_path):
    document = bench_transfer.rows_of_table(*table(tmp_path), None)
    rows = {row["name"]: row for row in document["rows"]}
    assert list(rows) == ["model", "diversity", "covered", "k", "language-mean"]
    assert (document["lists"], document["languages"]) == (12, 12)
    assert rows["k"]["spearman"] is None  # all lists have three languages
    assert 0 <= rows["model"]["coverage90"] <= 1
    json.dumps(document, allow_nan=False)


BAD = {
    "no such file": lambda r, s: ("missing.csv", s),
    "not a table": lambda r, s: (s, s),
    "not lists": lambda r, s: (r, r),
    "no file of lists": lambda r, s: (r, "missing.json"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files_are_refused(tmp_path, case):
    with pytest.raises(InputError):
        bench_transfer.rows_of_table(*BAD[case](*table(tmp_path)), None)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: [r for r in rows if r[0] != "baseline"], "no strategy 'baseline'"),
        (lambda rows: [*rows, rows[-1]], "twice"),
        (lambda rows: rows[:-1], "differ in"),
        (lambda rows: [[*rows[0][:2], "high", "1"], *rows[1:]], "line 2: 'high'"),
        (lambda rows: [[*rows[0][:3], "-1"], *rows[1:]], "line 2: '-1'"),
        (lambda rows: [[*rows[0][:3], "nan"], *rows[1:]], "line 2: 'nan'"),
        (lambda rows: [["baseline", "qqqq", "1", "1"], *rows], "line 2: unknown language"),
        (lambda rows: rows[:12], "no strategy of"),
        (lambda rows: rows[:36], "2 different lists"),
    ],
)
def test_bad_tables_are_refused(tmp_path, change, said):
    with pytest.raises(InputError, match=said):
        bench_transfer.rows_of_table(*table(tmp_path, change), None)


def test_a_list_that_is_none_is_refused(tmp_path):
    results, subsets = table(tmp_path)
    (tmp_path / "s.json").write_text('{"list0": "deu"}', encoding="utf-8")
    with pytest.raises(InputError, match="not a list of languages"):
        bench_transfer.rows_of_table(results, subsets, None)


def test_equal_rows_are_one_measurement_and_equal_lists_one_list(tmp_path):
    lists = {"a": ["deu", "fra"], "b": ["fra", "deu"], "c": ["hin"]}
    results = published.read(*table(tmp_path, lists=lists))
    assert list(results.names) == [("a", "b"), ("c",)]
    assert (results.variance[0] <= results.variance[1]).all()


def test_rank_correlation_equals_scipys():
    from scipy.stats import spearmanr

    rng = np.random.default_rng(0)
    one, other = rng.integers(0, 5, 30).astype(float), rng.normal(size=30)
    assert bench_transfer.ranking(one, other)[0] == pytest.approx(spearmanr(one, other).statistic)


def test_left_out_errors_are_those_of_a_fit_without_the_list():
    a, full = observed(np.random.default_rng(6))
    gain = full.gain.copy()
    gain[3, 2] = np.nan
    full = Observations(full.lists, full.targets, gain, full.variance, full.baseline)
    scales = TransferModel(full, a).scales
    model = TransferModel(full, a, scales)
    for h in (0, 3, 17):
        y = model.posterior.y.copy()
        X, M = model.posterior.X, model._kernels(model.members, model.members)
        keep = np.delete(np.arange(len(full.lists)), h)
        rest = np.where(np.isnan(model.gain), np.nan, y)[:, keep]
        groups = np.concatenate([model._groups(), np.tile([len(COLUMNS) - 2, len(COLUMNS) - 1], len(full.lists))])
        data = mixed_model.Measurements(
            rest, X[:, keep], groups, M[:, keep][:, :, keep], model.response, full.variance.T[:, keep]
        )
        fitted = mixed_model.fit(data, scales)
        to_lists = np.einsum("j,jl->l", scales.kernels, M[:, h][:, keep])
        own = np.einsum("t,l,tl->t", model.response**2, to_lists, fitted.weights)
        expected = X[:, h] @ fitted.mean + own
        has = ~np.isnan(gain[h])
        error = model.leave_one_out_errors.error[list(model.single.values()).index(h)]
        np.testing.assert_allclose(error[has], (gain[h] - expected)[has], atol=1e-6)
        assert (error[~has] == 0).all()


def test_intervals_reach_as_far_as_left_out_errors_did():
    covariance = np.tile(np.eye(2), (19, 1, 1))
    error = np.stack([np.arange(1.0, 20.0), -np.arange(1.0, 20.0)], axis=1)
    errors = LeaveOneOutErrors(error, covariance)
    assert errors.reach(0.9, np.array([1.0, 0.0])) == pytest.approx(18.0)  # the 18th of 19: 90 % of 20
    assert errors.reach(0.9, np.array([0.5, 0.5])) == pytest.approx(1.6448536)  # they cancel: what a normal one wants
    assert errors.without(error).reach_each(0.9) == pytest.approx(1.6448536)


def two_tasks(noise):
    """Two tasks that gain from the same thing, known well in one and with that much noise in the other."""
    a, clear = observed(np.random.default_rng(8))
    quality = np.random.default_rng(9).normal(0, 1.0, (len(clear.lists), 1))
    rng = np.random.default_rng(10)
    blurred = clear.gain + quality + rng.normal(0, noise, clear.gain.shape)
    variance = np.full(clear.gain.shape, noise**2)
    other = Observations(clear.lists, clear.targets, blurred, variance, clear.baseline)
    return a, {"clear": TransferModel(clear, a), "blurred": TransferModel(other, a)}


def test_tasks_take_from_each_other_what_the_left_out_lists_say_helps():
    _, models = two_tasks(2.0)
    pooled = PooledModel(models)
    for task in models:
        level = pooled.levels[task]
        step = pooled._step(task, {each: found.expected for each, found in pooled.levels.items()})
        losses = [np.square(level.actual - level.expected - share * step).sum() for share in np.linspace(0, MOST, 51)]
        best = np.square(level.actual - level.expected - pooled.share[task] * step).sum()
        assert best <= min(losses) + 1e-9
        assert 0.0 <= pooled.share[task] <= MOST


def test_one_task_is_left_as_it_is():
    a, models = two_tasks(0.5)
    alone = PooledModel({"clear": models["clear"]})
    members = parse_pool("cmn,vie")
    S = a.index(members)[None]
    np.testing.assert_array_equal(alone.mean("clear", S, SMALL), models["clear"].mean(S, SMALL))
    assert alone.weights() == {"clear": 1.0}


def test_the_quick_corrected_mean_is_that_of_the_forecast():
    a, models = two_tasks(2.0)
    pooled = PooledModel(models)
    assert max(pooled.share.values()) > 0
    members, equal = parse_pool("deu,swh"), np.full(len(SMALL), 1 / len(SMALL))
    for task in models:
        found = pooled.forecast(task, members, SMALL, equal, 0.9)
        np.testing.assert_allclose(pooled.mean(task, a.index(members)[None], SMALL)[0], found.means, rtol=1e-8)
        assert found.average.mean == pytest.approx(found.means.mean())
        wider = pooled.forecast(task, members, SMALL, equal, 0.95)
        assert wider.average.half > found.average.half


def test_transfer_loads_no_heavy_library():
    heavy = ("torch", "pandas", "sklearn", "optuna")
    code = f"import sys, selector.transfer.predict; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
