"""Language vectors and merged encoders; the cheap fidelities of the evaluator."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rehearsal
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from realign.build import evaluator as assemble
from realign.corpora.bitext import Moses
from realign.corpora.word_links import ByPharaoh
from realign.encoder.encoder import Encoder, load
from realign.evaluators.single_language import SingleLanguageScores, soft_maximum
from realign.merging import merger
from realign.merging.vectors import Vector, difference, vector
from realign.realign_and_transfer import RealignAndTransfer
from realign.score import Fidelity, Look, Merging, Score, Tally, sign
from realign.tasks.finetune import finetune
from realign.tasks.tagging import Tagging
from realign.tasks.transfer_task import FineTuning, Tuner
from realign.training.encoded_pairs import PairStore
from realign.training.pretraining import Shape, pretrain
from realign.training.realigner import realign
from realign.training.settings import Realignment
from realign.world.world import Sizes, World
from search.commands import search as run
from search.effort.cost import Price
from search.effort.fidelities import Fidelities
from search.study.study import open_study
from selector.errors import InputError, RunError
from selector.languages.language import parse
from selector.languages.subset import Subset

pytestmark = pytest.mark.usefixtures("own_cache")

SIZES = Sizes(parallel=80, source=160, evaluation=24, text=120, source_text=200, low_text=40)
TINY = Shape(vocabulary=1500, layers=2, width=32, heads=2, steps=30, batch=32, length=32)
FULL = Fidelity(pairs=64, steps=12, examples=16)
EXACT = Merging("average", precision="fp32", tuned="each", scale=1.0)
POOL = ("deu", "fin", "tam")


@pytest.fixture(scope="module")
def encoder(world: World, tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    texts = {code: world.texts(code) for code in ("eng", *POOL)}
    return load(str(pretrain(texts, TINY, 0, tmp_path_factory.mktemp("models") / "tiny")))


def evaluator(world: World, encoder: Encoder, pool: tuple[str, ...] = POOL) -> RealignAndTransfer:
    task = Tagging(encoder, world, "eng", FineTuning(batch=32))
    return RealignAndTransfer(encoder, world, task, ("deu", "fin"), "dev", Realignment(), pool)


def subset(*codes: str) -> Subset:
    return Subset.of(parse(code) for code in codes)


def stored(folder: Path, tensors: Mapping[str, Tensor], name: str = "v") -> Vector:
    return vector(f"{folder.name}-{name}", lambda: tensors)


class Weights(nn.Module):
    """A model of one matrix [r, d] and one bias [r]."""

    def __init__(self, rows: int, width: int) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.zeros(rows, width))
        self.bias = nn.Parameter(torch.zeros(rows))


def changed(matrix: Tensor) -> Weights:
    model = Weights(*matrix.shape)
    with torch.no_grad():
        model.matrix += matrix
        model.bias += matrix[:, 0]
    return model


def sparse(rng: np.random.Generator, rows: int, width: int, share: float) -> Tensor:
    """Only a share of the rows is not zero."""
    matrix = rng.normal(size=(rows, width)) * (rng.random(rows) < share)[:, None]
    return torch.from_numpy(matrix).float()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.sampled_from([0.0, 0.2, 1.0]))
def test_vectors_come_back_in_blocks_as_they_were_written(seed: int, size: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    matrix = sparse(rng, 13, 3, share)
    kept = difference(changed(matrix), Weights(13, 3), torch.float32)
    read = vector(f"blocks-{seed}-{share}", lambda: kept)
    if not matrix.any():
        assert "matrix" not in read
        return
    blocks = [read.block("matrix", start, min(start + size, 13)) for start in range(0, 13, size)]
    assert torch.equal(torch.cat(blocks), matrix)
    assert torch.equal(torch.cat([read.block("bias", 0, 5), read.block("bias", 5, 13)]), matrix[:, 0])


def test_only_changed_rows_are_stored(tmp_path: Path) -> None:
    matrix = torch.zeros(1000, 8)
    matrix[[3, 77]] = 1.0
    kept = difference(changed(matrix), Weights(1000, 8), torch.bfloat16)
    assert kept["matrix"].shape == (2, 8)
    assert kept["matrix"].dtype == torch.bfloat16
    assert torch.equal(stored(tmp_path, kept).block("matrix", 0, 1000), matrix)


@pytest.mark.parametrize("harm", ["flipped", "cut", "empty"])
def test_a_damaged_vector_is_made_again(tmp_path: Path, harm: str, caplog: pytest.LogCaptureFixture) -> None:
    kept = difference(changed(torch.ones(4, 3)), Weights(4, 3), torch.float32)
    stored(tmp_path, kept)
    (path,) = (tmp_path / "cache" / "vectors").glob("*.safetensors")
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes({"flipped": bytes(content), "cut": bytes(content[:-7]), "empty": b""}[harm])
    assert torch.equal(stored(tmp_path, kept).block("matrix", 0, 4), torch.ones(4, 3))
    assert "damaged: made again" in caplog.text


def test_a_vector_is_made_once_however_many_want_it(tmp_path: Path) -> None:
    made = []

    def make() -> dict[str, Tensor]:
        made.append(1)
        time.sleep(0.2)
        return {"bias": torch.ones(3)}

    threads = [threading.Thread(target=vector, args=("one", make)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1]
    assert not list((tmp_path / "cache" / "vectors").glob(".*.part"))


def test_a_cache_that_cannot_be_written_is_an_error_with_a_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("REALINGO_CACHE", str(tmp_path / "file"))
    with pytest.raises(RunError, match="cannot write the language vector") as caught:
        vector("any", dict)
    assert "REALINGO_CACHE" in caught.value.hint


def plain(matrices: list[Tensor], how: Merging) -> Tensor:
    """The combination, tensor by tensor as the papers write it."""
    stack = torch.stack(matrices)
    if how.method == "average":
        return stack.mean(0)
    if how.method == "touched":
        return stack.sum(0) / (stack != 0).sum(0).clamp(min=1)
    kept = []
    for matrix in matrices:  # TIES: keep the largest, elect signs, average those that agree
        order = matrix.abs().flatten().argsort(descending=True)[: round(how.density * matrix.numel())]
        kept.append(torch.zeros(matrix.numel()).scatter(0, order, matrix.flatten()[order]).reshape(matrix.shape))
    trimmed = torch.stack(kept)
    elected = torch.sign(trimmed.sum(0))
    agree = (torch.sign(trimmed) == elected) & (trimmed != 0)
    return (trimmed * agree).sum(0) / agree.sum(0).clamp(min=1)


@pytest.mark.parametrize("block", [1, 40, 2**24])
@pytest.mark.parametrize(
    "how",
    [Merging("average", scale=0.7), Merging("touched", scale=2.0), Merging("ties", density=0.3, scale=1.0)],
    ids=lambda how: how.method,
)
def test_combining_is_what_the_papers_say_in_blocks_of_any_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: Merging, block: int
) -> None:
    rng = np.random.default_rng(5)
    matrices = [sparse(rng, 20, 4, share) for share in (0.3, 0.9, 1.0)]
    empty = Weights(20, 4)
    vectors = {
        f"l{number}": stored(tmp_path, difference(changed(matrix), empty, torch.float32), str(number))
        for number, matrix in enumerate(matrices)
    }
    monkeypatch.setattr(merger, "BLOCK", block)
    model, backwards = Weights(20, 4), Weights(20, 4)
    merger.add(model, vectors, how)
    merger.add(backwards, dict(reversed(vectors.items())), how)
    torch.testing.assert_close(model.matrix.data, how.scale * plain(matrices, how))
    torch.testing.assert_close(model.bias.data, how.scale * plain([m[:, 0] for m in matrices], how))
    assert torch.equal(model.matrix, backwards.matrix)


def test_dare_drops_at_random_and_keeps_the_mean(tmp_path: Path) -> None:
    ones = stored(tmp_path, difference(changed(torch.ones(200, 50)), Weights(200, 50), torch.float32))
    model, again, whole = Weights(200, 50), Weights(200, 50), Weights(200, 50)
    merger.add(model, {"deu": ones}, Merging("dare", density=0.25, scale=1.0))
    merger.add(again, {"deu": ones}, Merging("dare", density=0.25, scale=1.0))
    merger.add(whole, {"deu": ones}, Merging("dare", density=1.0, scale=1.0))
    assert set(model.matrix.unique().tolist()) == {0.0, 4.0}
    assert model.matrix.mean().item() == pytest.approx(1.0, abs=0.06)
    assert torch.equal(model.matrix, again.matrix)
    assert torch.equal(whole.matrix, torch.ones(200, 50))


def merged_encoder(world: World, encoder: Encoder, how: Merging, *codes: str) -> nn.Module:
    """Not fine-tuned."""
    return evaluator(world, encoder)._merger(codes, replace(FULL, steps=0, merging=how), 3)[0]


def test_one_language_at_scale_one_is_that_languages_own_realignment(world: World, encoder: Encoder) -> None:
    merged = merged_encoder(world, encoder, EXACT, "fin")
    own = encoder.copy()
    how = Realignment()
    realign(own, {"fin": PairStore(encoder, world, how).of("fin")}, how, FULL.pairs // how.batch, 3)
    moved = 0.0
    for (name, weight), before, wanted in zip(
        merged.named_parameters(), encoder.model.parameters(), own.parameters(), strict=True
    ):
        torch.testing.assert_close(weight, wanted, atol=1e-6, rtol=0, msg=name)
        moved = max(moved, (wanted - before).abs().max().item())
    assert moved > 1e-3


def test_half_precision_is_close(world: World, encoder: Encoder) -> None:
    half, whole = (
        merged_encoder(world, encoder, replace(EXACT, precision=precision), "deu", "fin")
        for precision in ("bf16", "fp32")
    )
    for a, b, before in zip(half.parameters(), whole.parameters(), encoder.model.parameters(), strict=True):
        assert (a - b).abs().max().item() <= 2**-8 * (b - before).abs().max().item() + 1e-8


@pytest.mark.parametrize(
    "how",
    [
        Merging("average", scale=1.0),
        Merging("average", tuned="each", scale=1.0),
        Merging("ties", 2, scale=2.0, density=0.2),
    ],
    ids=str,
)
def test_merged_scores_are_functions_of_the_seed_and_reuse_vectors(
    world: World, encoder: Encoder, how: Merging, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = replace(FULL, merging=how)
    before = {name: weight.clone() for name, weight in encoder.model.state_dict().items()}
    first = evaluator(world, encoder)
    score = first(subset("fin", "tam"), asked, 5)
    assert score.signature == first.signature(subset("fin", "tam"), asked, 5)
    assert all(torch.equal(weight, before[name]) for name, weight in encoder.model.state_dict().items())

    def no(*_: object) -> None:
        raise AssertionError("a vector was made twice")

    monkeypatch.setattr(merger, "realign", no)
    again = evaluator(world, replace(encoder, model=encoder.copy()))(subset("tam", "fin"), asked, 5)
    assert again == score
    assert again.tallies == score.tallies


def test_a_vector_depends_on_the_text_of_its_own_language_alone(tmp_path: Path, encoder: Encoder) -> None:
    def facts(aligner: str, links: str = "0-0\n1-1\n", **texts: str) -> dict[str, Any]:
        for code, text in {"eng": "a b\nc d\n", **texts}.items():
            for other in ("deu", "fin"):
                if code in ("eng", other):
                    (tmp_path / f"eng-{other}.{code}").write_text(text)
                (tmp_path / f"{other}.align").write_text(links)
        settings = Realignment(loss="word", aligner="pharaoh", alignments="x") if aligner else Realignment()
        text = Moses(tmp_path, "eng", texts)
        return PairStore(encoder, ByPharaoh(text, tmp_path) if aligner else text, settings).facts("deu")

    first = facts("", deu="x y\nz v\n", fin="p q\nr s\n")
    assert facts("", deu="x y\nz v\n", fin="q q\nr s\n") == first
    assert facts("", deu="x y\nz v\n") == first
    assert facts("", deu="x x\nz v\n") != first
    linked = facts("files", deu="x y\nz v\n", fin="p q\nr s\n")
    assert linked != first
    assert facts("files", deu="x y\nz v\n", fin="q q\nr s\n") == linked
    assert facts("files", "0-1\n1-1\n", deu="x y\nz v\n", fin="p q\nr s\n") != linked


def test_signatures_tell_the_ways_apart(world: World, encoder: Encoder) -> None:
    ways = [
        FULL,
        replace(FULL, patience=2),
        *(
            replace(FULL, merging=how)
            for how in (
                Merging(scale=1.0),
                Merging("ties", scale=1.0),
                Merging(scale=2.0),
                Merging(scale=1.0, precision="fp32"),
                Merging(scale=1.0, seeds=2),
            )
        ),
    ]
    one, other = evaluator(world, encoder), evaluator(world, encoder, ("deu", "fin"))
    signatures = [one.signature(subset("fin"), way, 0) for way in ways]
    assert len(set(signatures)) == len(ways)
    others = [other.signature(subset("fin"), way, 0) for way in ways]
    assert [a == b for a, b in zip(signatures, others, strict=True)] == [True, True] + [False] * 5


def test_of_many_vectors_only_blocks_are_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, width, count = 2**14, 256, 10  # 16 MiB a vector
    model = Weights(rows, width)
    vectors = {}
    for number in range(count):
        tensors = {"matrix": torch.full((rows, width), 1.0 + number)}
        vectors[f"l{number}"] = stored(tmp_path, tensors, str(number))
        del tensors
    monkeypatch.setattr(merger, "BLOCK", 2**20)  # 4 MiB over all vectors
    peak = []
    average = merger.METHODS["average"]

    def watched(blocks: Tensor, among: int) -> Tensor:
        peak.append(_private())
        return average(blocks, among)

    monkeypatch.setattr(merger, "METHODS", {"average": watched})
    before = _private()
    merger.add(model, vectors, Merging("average", scale=1.0))
    assert torch.all(model.matrix == 5.5)
    assert len(peak) >= 40
    assert max(peak) - before < 40 * 2**20, "more than blocks of 160 MiB of vectors was held"


def _private() -> int:
    """Bytes of this process that are no mapped file: the kernel can drop those at any time."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("RssAnon"))


class Counted:
    """A task that counts its steps and finds each look no better than the first."""

    def __init__(self, task: Tagging, flat: bool) -> None:
        self.facts, self.flat, self.inner, self.taken = task.facts, flat, task, 0

    def tuner(self, model: nn.Module, steps: int, seed: int) -> Tuner:
        tuner = self.inner.tuner(model, steps, seed)
        step = tuner.step

        def counted() -> Tensor:
            self.taken += 1
            return step()

        tuner.step = counted  # type: ignore[method-assign]
        return tuner

    def evaluate(self, *arguments: Any) -> dict[str, Tally]:
        found = self.inner.evaluate(*arguments)
        return {code: Tally((1,), (2,)) for code in found} if self.flat else found


@pytest.mark.parametrize(("flat", "patience", "steps"), [(True, 2, 9), (True, 1, 6), (False, 100, 30)])
def test_patience_ends_early_and_else_changes_nothing(
    world: World, encoder: Encoder, flat: bool, patience: int, steps: int
) -> None:
    task = Tagging(encoder, world, "eng", FineTuning(batch=32))
    counted, model, plainly = Counted(task, flat), encoder.copy(), encoder.copy()
    finetune(counted, model, replace(FULL, steps=30, patience=patience), 0)  # type: ignore[arg-type]
    task.finetune(plainly, 30, 0)
    assert counted.taken == steps  # looks every 3 steps
    away = [(a - b).abs().max().item() for a, b in zip(model.parameters(), plainly.parameters(), strict=True)]
    assert max(away) < 1e-4 if steps == 30 else max(away) > 1e-3


@given(st.integers(0, 10**6), st.floats(0.001, 1.0))
def test_a_share_of_the_work_is_never_nothing(whole: int, share: float) -> None:
    part = Fidelity(whole, whole, whole).share(share, 1.0, share)
    assert part.steps == whole
    assert part.pairs == part.examples == max(min(1, whole), round(whole * share))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.sampled_from([0.0, 0.1, 3.0, 50.0]))
def test_the_soft_maximum_lies_between_mean_and_maximum(values: list[float], sharpness: float) -> None:
    found = soft_maximum(values, sharpness)
    assert sum(values) / len(values) - 1e-9 <= found <= max(values) + 1e-9
    assert found == pytest.approx(soft_maximum(values[::-1], sharpness))
    assert soft_maximum([0.5] * len(values), sharpness) == pytest.approx(0.5)
    assert soft_maximum(values, 1e6) == pytest.approx(max(values), abs=1e-4)


class Singles:
    """Answers for single languages and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    def signature(self, subset: Subset, fidelity: Fidelity, seed: int) -> str:
        return sign({}, subset, fidelity, seed)

    def __call__(self, subset: Subset, fidelity: Fidelity, seed: int, look: Look | None = None) -> Score:
        self.asked.append((subset.key, seed))
        found = {"x": len(subset.key) / 10 if subset else 0.1, "y": 0.2 + seed / 10}
        return Score(sum(found.values()) / 2, found, self.signature(subset, fidelity, seed))


def test_scores_of_languages_are_asked_once_and_combined() -> None:
    singles = Singles()
    asked = replace(FULL, merging=Merging("scores", seeds=2, scale=1.0))
    alone = SingleLanguageScores(singles)
    score = alone(subset("deu", "fin"), asked, 3)
    assert score.per_language == pytest.approx({"x": 0.3, "y": 0.55})  # the mean over seeds 3 and 4
    assert score.value == pytest.approx(0.425)
    assert score.signature == alone.signature(subset("deu", "fin"), asked, 3)
    assert singles.asked == [("deu", 3), ("deu", 4), ("fin", 3), ("fin", 4)]
    SingleLanguageScores(singles)(subset("deu", "tam"), asked, 3)
    assert singles.asked[4:] == [("tam", 3), ("tam", 4)]
    assert (
        SingleLanguageScores(singles)(Subset(), replace(asked, merging=Merging("scores", scale=1.0)), 3).per_language[
            "x"
        ]
        == 0.1
    )
    assert SingleLanguageScores(singles)(subset("deu", "fin"), FULL, 0) == singles(subset("deu", "fin"), FULL, 0)


def test_a_search_at_a_cheap_fidelity_is_confirmed_at_the_full_one(tmp_path: Path) -> None:
    for name, keys, facts in (
        ("short", ["fidelity.steps=0.5"], {"pairs": 800, "steps": 100, "examples": 5}),
        ("merge", [], {"pairs": 1067, "steps": 200, "examples": 20, "merging": asdict(Merging(scale=2.0))}),
    ):
        config = rehearsal.study(tmp_path / name, f"search.fidelity={name}", "search.trials=5", *keys)
        best = run.search(config).best
        assert best is not None
        assert best.fidelity == facts
        assert best.signature == assemble.evaluator(config.core, config.scope, config.tune, "dev").signature(
            Subset.of(map(parse, best.languages)), Fidelities(config).at(name), config.seed
        )
        assert Fidelities(config).full == Fidelity(3200, 200, 20)
        with pytest.raises(InputError, match="fidelity"):
            run.search(replace(config, fidelity=replace(config.fidelity, seeds=2)))


@pytest.mark.parametrize("how", [(), ("fidelity.method=average",), ("fidelity.method=average", "fidelity.tuned=each")])
def test_merging_counts_one_training_of_each_language(tmp_path: Path, how: tuple[str, ...]) -> None:
    keys = ("search.fidelity=merge", "fidelity.pairs=0.5", "fidelity.seeds=3", *how)
    config = rehearsal.study(tmp_path, *keys)
    document = run.search(config)
    trials = open_study(config, create=False).trials()
    met = {code for trial in trials for code in trial.subset.codes}
    tuning = config.core.task.batch * Fidelities(config).full.steps
    realigning = 2 * Fidelities(config).full.pairs
    if config.fidelity.method == "scores":
        sentences = 3 * len(met) * (realigning / 2 + tuning)
    elif config.fidelity.tuned == "once":
        sentences = 3 * len(config.pool) * realigning / 2 + tuning  # all subsets have one size
    else:
        sentences = 3 * len(met) * realigning / 2 + len(trials) * tuning
    assert document.full_equivalents == pytest.approx(sentences / (realigning + tuning))
    paid = Price(config).paid_once(Fidelities(config).at("merge"))
    if config.fidelity.method != "scores" and config.fidelity.tuned == "once":  # nothing is paid later
        assert document.full_equivalents == pytest.approx(paid)
