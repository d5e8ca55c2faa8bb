"""From a study's settings to the evaluator it is measured with: where `search` builds what `realign` has."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from realign.evaluators.fake import FakeEvaluator
from realign.evaluators.single_language import Alone
from realign.evaluators.wrappers import Beside, Cached
from realign.score import Advance, Fidelity
from search.build import corpora as sources
from search.build import inputs as read
from search.build import tasks
from search.build.overlap import check_overlap
from search.config.core_schema import FakeModel
from search.config.study_config import StudyConfig
from search.strategies import ladder
from selector.errors import InputError
from selector.languages.language import Pool
from selector.languages.subset import Subset

if TYPE_CHECKING:
    from realign.corpora.base import Pair, Parallel, Split
    from realign.encoder.encoder import Encoder
    from realign.evaluate import RealignAndTransfer

DevOrTest = Literal["dev", "test"]


def evaluator(
    config: StudyConfig, targets: Pool, split: DevOrTest, advance: Advance | None = None, beside: Subset | None = None
) -> Cached:
    """What scores a subset of the study's pool on `targets`, answering from the cache what was scored before.

    `advance` hears of preparations that take long. The subset `beside` is scored as the search scores it as well, from
    one training. InputError where data or model cannot be used.
    """
    base = config.model.base
    if isinstance(base, FakeModel):
        return Cached(Alone(FakeEvaluator(config.pool, targets, base.terms, split)))
    real = _real(config, base, targets, split, advance)
    if beside is None:
        return Cached(Alone(real))
    searching = real.on([language.code for language in config.tune], "dev")
    return Cached(Beside(Alone(real), Cached(Alone(searching)), beside))


def fidelity(config: StudyConfig) -> Fidelity:
    """The full fidelity of the study. Epochs are counted in steps, for which the training data is looked at."""
    return Fidelity(config.realign.steps * config.realign.batch, tasks.steps(config), config.task.examples)


def levels(config: StudyConfig) -> dict[str, Fidelity]:
    """The fidelities that the study's search measures at, by name, cheap ones first."""
    names = ladder.ORDER if config.search.fidelity == "ladder" else (config.search.fidelity,)
    return {name: at_level(config, name) for name in names}


def at_level(config: StudyConfig, level: str) -> Fidelity:
    """The fidelity "full", "short" or "merge" of the study. On a ladder, given shares are those of "short"."""
    full, asked = fidelity(config), config.fidelity
    if level == "full":
        return full
    by_scores = asked.method == "scores"
    usual = (0.25, 0.25, 0.25)
    given = (asked.pairs, asked.steps, asked.examples)
    if level == "merge":
        usual = (1 / config.sizes[1] if by_scores else 1.0, 1.0, 1.0 if by_scores else 0.25)
        given = (None, None, None) if config.search.fidelity == "ladder" else given
    part = full.share(*(own if share is None else share for share, own in zip(given, usual, strict=True)))
    return replace(part, patience=asked.patience, merging=asked.merging if level == "merge" else None)


def _real(
    config: StudyConfig, base: str, targets: Pool, split: DevOrTest, advance: Advance | None
) -> RealignAndTransfer:
    from realign.evaluate import RealignAndTransfer

    check_overlap(config)
    inputs = read.inputs(config, linked(config))  # before reading: what is read from here on is held against it
    data = tasks.data(config)
    codes = [language.code for language in targets]
    needed: list[tuple[str, Split]] = [(code, split) for code in codes]
    if config.task.kind != "retrieval":
        needed.append((config.source.code, "train"))
    for code, part in needed:  # before anything expensive: is it all there?
        data.required(code, part)
    text, encoder = ingredients(config, base, advance)
    pool = [language.code for language in config.pool]
    inputs.include("the encoder", encoder.signature_now)
    task, how = data.task(encoder), config.realign.recipe()
    made = RealignAndTransfer(encoder, text, task, codes, split, how, pool, inputs, advance)
    inputs.check()
    return made


def ingredients(config: StudyConfig, base: str, advance: Advance | None) -> tuple[Parallel, Encoder]:
    """Filtered parallel text, of which every language of the pool has some, and the encoder to realign.

    On a CPU one thread works from here on: scores must not depend on the number of cores; more cores run more trials.
    """
    import torch

    from realign.training.realigner import fitting

    text = parallel(config)
    for number, language in enumerate(config.pool, 1):  # before the encoder is loaded, or trained
        usable(config, text.pairs(language.code, "train"), language.code)
        if advance is not None:
            advance("reading parallel text", number, len(config.pool))
    if not torch.cuda.is_available():
        torch.set_num_threads(1)
    if advance is not None:
        advance("loading the encoder", 0, 1)
    encoder = load_encoder(config, base)
    if advance is not None:
        advance("loading the encoder", 1, 1)
    fitting(encoder.model, config.realign.recipe())
    return text, encoder


def parallel(config: StudyConfig) -> Parallel:
    """The parallel text that realignment sees: with its links, filtered, and no more than a run can see."""
    return sources.sampled(config, sources.filtered(config, linked(config)))


def usable(config: StudyConfig, pairs: Sequence[Pair], code: str) -> None:
    """InputError where there is nothing or the filter leaves nothing, or a link from outside is none: all are read."""
    if not pairs and config.data.rules is None:
        raise InputError(f"there are no parallel sentences for {code}", "give its file some, or leave the language out")
    if not pairs:
        raise InputError(f"no train pair of {code} passes the filter", "loosen data.filter, or leave the language out")
    if config.realign.loss == "word" and config.realign.alignments:
        deque(pairs, maxlen=0)


def linked(config: StudyConfig) -> Parallel:
    """The study's parallel text, with word links from outside where its aligner takes them from there."""
    from realign.corpora.verses import find_folder
    from realign.corpora.word_links import ByDictionary, ByPharaoh

    text, how = sources.parallel(config, config.data.parallel, config.pool), config.realign
    if how.loss == "word" and how.dictionary:
        return ByDictionary(text, find_folder(how.dictionary, config.home), config.source.code)
    if how.loss == "word" and how.alignments:
        return ByPharaoh(text, find_folder(how.alignments, config.home))
    return text


def load_encoder(config: StudyConfig, base: str) -> Encoder:
    """The encoder of a study: `base` is "world", a folder (from the study file on) or a hub id."""
    from realign.world import encoder as world

    folder = world.FOLDER if base == "world" else config.home / base
    if not folder.is_dir():
        return _loaded(base, config.model.revision, ())
    stamps = sorted((path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in folder.iterdir())
    return _loaded(str(folder), None, tuple(stamps))


@lru_cache(maxsize=1)
def _loaded(base: str, revision: str | None, stamps: tuple[tuple[str, int, int], ...]) -> Encoder:
    """The encoder, which `check` and the evaluator after it share: nobody changes its weights. Other files, another."""
    from realign.encoder.encoder import load

    return load(base, revision)
