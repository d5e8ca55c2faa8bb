"""Do our distances find the best language to fine-tune on? On the published results of NN-Rank, from your own clone.

    git clone https://github.com/abteen/nn-rank
    python studies/search/single_sources.py nn-rank [e5-states.npz]

51 languages, each alone fine-tuned on, 56 (tags) and 72 (entities) targets, XLM-R-base and mBERT (Ebrahimi et al. 2025,
arXiv 2510.03202; CC BY-SA 4.0, so nothing of it is kept here but summary figures). That is another question than which
*set* to *realign* on. With states (`language_states.py`) only languages with text are looked at, so that similarity by
hidden states is compared with URIEL on the same pairs.

NDCG@3 as LangRank has it (Lin et al. 2019): of the ten best sources the best counts 2^10 - 1, the next 2^9 - 1, and so
on; times 100. Treebanks are those that LangRank names; a language with several counts by their mean.
"""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from language_states import from_file
from numpy.typing import NDArray
from scipy.stats import spearmanr

from selector.distances.distance import distances
from selector.languages.language import Language, parse
from selector.transfer.predict import prior

Array = NDArray[np.float64]

MODELS = ("xlm-roberta-base", "bert-base-multilingual-cased")
METRICS = ("syntactic", "phonological", "inventory", "featural", "genetic", "geographic", "learned")
MIX = "syntactic=0.5,genetic=0.25,geographic=0.25"  # written down before any figure was seen
BEST, TOP = 10, 3
DRAWS = 1_000


def results(clone: Path, task: str, model: str) -> dict[tuple[str, str], float]:
    """(source, target) → score in percent."""
    file = clone / task / "outputs" / f"{task}_evaluation_outputs" / model / "test" / f"results_{model}_test.csv"
    maps = clone / "ma_utils" / "pos_file_iso_maps"
    named = {
        part: {*(maps / f"langrank_{part}_all_fnames").read_text(encoding="utf-8").split()}
        for part in ("train", "test")
    }
    found: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    with file.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            source, target = row["train_file"], row["eval_file"]
            if task == "pos" and not (source in named["train"] and target in named["test"]):
                continue
            score = 100 * float(row["accuracy"]) if task == "pos" else float(row["f1"])
            found[parse(source.split("_")[0]).code, parse(target.split("_")[0]).code].append(score)
    return {pair: float(np.mean(scores)) for pair, scores in found.items()}


def rules(task: str, sources: list[Language], targets: list[Language], A: Array) -> Iterator[tuple[str, Array]]:
    """Name → how promising each source is for each target [T, S]; A are the scores [T, S]."""
    languages = tuple(sorted({*sources, *targets}))
    place = {language: i for i, language in enumerate(languages)}
    at = np.ix_([place[x] for x in targets], [place[x] for x in sources])
    for metric in (*METRICS, MIX):
        yield metric, -np.asarray(distances(languages, metric).matrix)[at]
    near = -np.asarray(distances(languages, MIX).matrix)[at]
    relative = A - np.nanmean(A, axis=1, keepdims=True)
    general = np.array([np.nanmean(np.delete(relative, i, axis=0), axis=0) for i in range(len(targets))])
    yield "mean over the other targets", general
    yield "that and the mix", _standard(general) + _standard(near)
    model = prior(task, languages)
    yield (
        "predicted gain of the source as the only member",
        model.mean(model.affinity.index(sources)[:, None], targets).T,
    )
    yield "chance", np.random.default_rng(0).normal(size=A.shape)


def _standard(x: Array) -> Array:
    return np.asarray((x - np.nanmean(x, axis=1, keepdims=True)) / np.nanstd(x, axis=1, keepdims=True))


def ndcg(promise: Array, score: Array) -> float:
    """Of one target, over its sources [S]."""
    relevance = np.zeros(len(score))
    relevance[np.argsort(-score, kind="stable")[:BEST]] = np.arange(BEST, 0, -1)[: len(score)]
    gain, discount = 2**relevance - 1, 1 / np.log2(np.arange(2, TOP + 2))
    chosen = np.argsort(-promise, kind="stable")[:TOP]
    return float(100 * (gain[chosen] * discount).sum() / (np.sort(gain)[::-1][:TOP] * discount).sum())


def row(name: str, promise: Array, A: Array, other: NDArray[np.bool_]) -> str:
    """A line of the table; a target is never its own source."""
    found, ranks, short = [], [], []
    for p, score, has in zip(promise, A, other & ~np.isnan(A), strict=True):
        found.append(ndcg(p[has], score[has]))
        short.append(score[has].max() - score[has][np.argmax(p[has])])
        if np.ptp(p[has]) > 0:
            ranks.append(spearmanr(p[has], score[has]).statistic)
    rng, values = np.random.default_rng(0), np.array(found)
    low, high = np.quantile(values[rng.integers(len(values), size=(DRAWS, len(values)))].mean(axis=1), [0.05, 0.95])
    return f"| {name} | {values.mean():.1f} ({low:.1f} to {high:.1f}) | {np.mean(ranks):.2f} | {np.mean(short):.1f} |"


def main(clone: Path, states: Path | None) -> None:
    codes, alike = from_file(states) if states else ([], {})
    for task in ("pos", "ner"):
        for model in MODELS:
            scores = results(clone, task, model)
            with_text = {*codes} if states else {code for pair in scores for code in pair}
            sources = sorted({parse(source) for source, _ in scores if source in with_text})
            targets = sorted({parse(target) for _, target in scores if target in with_text})
            A = np.array([[scores.get((s.code, t.code), np.nan) for s in sources] for t in targets])
            other = np.array([[s != t for s in sources] for t in targets])
            print(f"\n{task}, {model}: {len(sources)} sources, {len(targets)} targets\n")
            print("| rule | NDCG@3 (90 %) | rank correlation | first choice, points short of the best |")
            print("|---|---|---|---|")
            found = (*rules(task, sources, targets, A), *by_states(codes, alike, sources, targets))
            for name, promise in found:
                print(row(name, promise, A, other), flush=True)


def by_states(
    codes: list[str], alike: Mapping[str, Array], sources: list[Language], targets: list[Language]
) -> Iterator[tuple[str, Array]]:
    languages = tuple(sorted({*sources, *targets}))
    at = np.ix_([languages.index(x) for x in targets], [languages.index(x) for x in sources])
    near = -np.asarray(distances(languages, MIX).matrix)[at]
    for name, S in alike.items():
        own = S[np.ix_([codes.index(x.code) for x in targets], [codes.index(x.code) for x in sources])]
        yield f"text: {name}", own
        yield f"the mix and {name}", _standard(own) + _standard(near)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
