"""From a core and its languages to the evaluator that scores subsets of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from realign.build import contents as read
from realign.build import corpora as sources
from realign.build import tasks
from realign.build.overlap import check_overlap
from realign.core import Core, FakeModel, Scope
from realign.evaluators.fake import FakeEvaluator
from realign.evaluators.single_language import SingleLanguageScores
from realign.evaluators.wrappers import Cached, WithSecondScore
from realign.score import Advance, Fidelity
from selector.errors import InputError
from selector.languages.language import Pool
from selector.languages.subset import Subset

if TYPE_CHECKING:
    from realign.corpora.corpus import Pair, Parallel, Split
    from realign.encoder.encoder import Encoder
    from realign.realign_and_transfer import RealignAndTransfer

DevOrTest = Literal["dev", "test"]


def evaluator(
    core: Core,
    scope: Scope,
    targets: Pool,
    split: DevOrTest,
    advance: Advance | None = None,
    beside: Subset | None = None,
) -> Cached:
    """Evaluator that scores subsets of `scope.pool` on `targets`, with a cache on disk.

    `split` is the split to score on. `advance` is called during long preparations. The subset `beside` is also scored
    as a search scores it (tuning targets, development split), from the same training. InputError: data or model cannot
    be used.
    """
    base = core.model.base
    if isinstance(base, FakeModel):
        return Cached(SingleLanguageScores(FakeEvaluator(scope.pool, targets, base, split)))
    real = _realigning_evaluator(core, scope, targets, split, advance)
    if beside is None:
        return Cached(SingleLanguageScores(real))
    searching = real.on([language.code for language in scope.tune], "dev")
    return Cached(WithSecondScore(SingleLanguageScores(real), Cached(SingleLanguageScores(searching)), beside))


def full_fidelity(core: Core, targets: Pool) -> Fidelity:
    """Fidelity that does all of the work of `core`.

    Epochs are counted in steps, for which the training data of the source is read; `targets` name the data of the task.
    """
    return Fidelity(core.pairs, tasks.steps(core, targets), core.task.examples)


def _realigning_evaluator(
    core: Core, scope: Scope, targets: Pool, split: DevOrTest, advance: Advance | None
) -> RealignAndTransfer:
    from realign.realign_and_transfer import RealignAndTransfer

    check_overlap(core)
    inputs = read.inputs(
        core, scope, parallel_with_links(core, scope.pool)
    )  # signatures before anything is read: later reads are compared with them
    data = tasks.load_task_data(core, scope.targets)
    codes = [language.code for language in targets]
    needed: list[tuple[str, Split]] = [(code, split) for code in codes]
    if core.task.kind != "retrieval":
        needed.append((core.source.code, "train"))
    for code, part in needed:  # before anything expensive: is it all there?
        data.require(code, part)
    text, encoder = load_text_and_encoder(core, scope.pool, advance)
    pool = [language.code for language in scope.pool]
    inputs.include("the encoder", encoder.signature_now)
    task, settings = data.task(encoder), core.realign
    made = RealignAndTransfer(encoder, text, task, codes, split, settings, pool, inputs, advance)
    inputs.check()
    return made


def load_text_and_encoder(core: Core, pool: Pool, advance: Advance | None) -> tuple[Parallel, Encoder]:
    """Filtered parallel text, with pairs for every language of `pool`, and the encoder to realign.

    On a CPU one thread works from here on: scores must not depend on the number of cores; more cores run more trials.
    InputError: a language has no usable pairs, or the encoder cannot be loaded.
    """
    import torch

    from realign.training.realigner import check_fit

    text = parallel(core, pool)
    for number, language in enumerate(pool, 1):  # before the encoder is loaded, or trained
        check_usable(core, text.pairs(language.code, "train"), language.code)
        if advance is not None:
            advance("reading parallel text", number, len(pool))
    if not torch.cuda.is_available():
        torch.set_num_threads(1)
    if advance is not None:
        advance("loading the encoder", 0, 1)
    encoder = load_encoder(core)
    if advance is not None:
        advance("loading the encoder", 1, 1)
    check_fit(encoder.model, core.realign)
    return text, encoder


def parallel(core: Core, pool: Pool) -> Parallel:
    """Parallel text of `pool` for realignment: with its links, filtered, and with no more pairs than a run can see."""
    return sources.sample_pairs(core, sources.filter_pairs(core, parallel_with_links(core, pool), pool))


def check_usable(core: Core, pairs: Sequence[Pair], code: str) -> None:
    """Check the training pairs of the language `code`, which are all read.

    InputError: there are none, the filter of `core` leaves none, or a link from outside does not fit its pair.
    """
    if not pairs and core.data.rules is None:
        raise InputError(
            f"there are no parallel sentences for {code}", "add pairs to its file, or leave the language out"
        )
    if not pairs:
        raise InputError(f"no train pair of {code} passes the filter", "loosen data.filter, or leave the language out")
    if core.realign.loss == "word" and core.realign.aligner == "gold" and next(iter(pairs)).links is None:
        raise InputError(f"the parallel text of {code} has no gold word alignment", 'use aligner = "mutual"')
    if core.realign.loss == "word" and core.realign.alignments:
        deque(pairs, maxlen=0)


def parallel_with_links(core: Core, pool: Pool) -> Parallel:
    """Parallel text of `pool`, with word links from files where the aligner of `core` takes them from there."""
    from realign.corpora.folder import find_folder
    from realign.corpora.word_links import ByDictionary, ByPharaoh

    text, settings = sources.parallel_corpus(core, core.data.parallel, pool), core.realign
    if settings.loss == "word" and settings.dictionary:
        return ByDictionary(text, find_folder(settings.dictionary, core.home), core.source.code)
    if settings.loss == "word" and settings.alignments:
        return ByPharaoh(text, find_folder(settings.alignments, core.home))
    return text


def load_encoder(core: Core) -> Encoder:
    """Encoder that `core` names. InputError: it cannot be loaded, or the core is a rehearsal without one."""
    from realign.world import world_encoder as world

    base = core.model.encoder
    folder = world.FOLDER if base == "world" else core.home / base
    if not folder.is_dir():
        return _load(base, core.model.revision, ())
    stamps = sorted((path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in folder.iterdir())
    return _load(str(folder), None, tuple(stamps))


@lru_cache(maxsize=1)
def _load(base: str, revision: str | None, stamps: tuple[tuple[str, int, int], ...]) -> Encoder:
    """Encoder, shared by `check` and the evaluator after it: nobody changes its weights.

    Other files give another one.
    """
    from realign.encoder.encoder import load

    return load(base, revision)
