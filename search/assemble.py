"""From a study's settings to the evaluator it is measured with: where `search` builds what `realign` has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from realign.fake import FakeEvaluator
from realign.score import Advance, Evaluator, Fidelity
from realign.wrap import Cached
from search.config import Conllu, FakeModel, StudyConfig, Verses
from selector.language import Pool

if TYPE_CHECKING:
    from realign.corpus import Labelled, Parallel
    from realign.encoder import Encoder
    from realign.recipe import Realignment
    from realign.task import FineTuning

DevOrTest = Literal["dev", "test"]


def evaluator(config: StudyConfig, targets: Pool, split: DevOrTest, advance: Advance | None = None) -> Cached:
    """What scores a subset of the study's pool on `targets`, answering from the cache what was scored before.

    `advance` hears of preparations that take long. InputError where data or model cannot be used.
    """
    base = config.model.base
    if isinstance(base, FakeModel):
        return Cached(FakeEvaluator(config.pool, targets, base.terms, split))
    return Cached(_real(config, base, targets, split, advance))


def fidelity(config: StudyConfig) -> Fidelity:
    """The full fidelity of the study."""
    return Fidelity(config.realign.steps * config.realign.batch, config.task.steps, config.task.examples)


def _real(config: StudyConfig, base: str, targets: Pool, split: DevOrTest, advance: Advance | None) -> Evaluator:
    import torch

    from realign.evaluate import RealignAndTag

    parallel, labelled = _parallel(config), _labelled(config)
    codes = [language.code for language in targets]
    for code in codes:  # before anything expensive: is there data for every target?
        labelled.sentences(code, split)
    for language in config.pool:
        parallel.pairs(language.code, "train")
    if not torch.cuda.is_available():
        torch.set_num_threads(1)  # scores must not depend on the number of cores; more cores run more trials
    encoder = _encoder(config, base, advance)
    return RealignAndTag(encoder, parallel, labelled, config.source.code, codes, split, settings(config))


def settings(config: StudyConfig) -> tuple[Realignment, FineTuning]:
    """The study's `[realign]` and `[task]` sections as the core takes them."""
    from realign.recipe import Realignment
    from realign.task import FineTuning

    how, task = config.realign, config.task
    realignment = Realignment(
        loss=how.loss,
        aligner=how.aligner if how.loss == "word" else None,
        batch=how.batch,
        lr=how.lr,
        temperature=how.temperature,
        layer=how.layer,
        freeze=how.freeze,
    )
    return realignment, FineTuning(batch=task.batch, lr=task.lr)


def _encoder(config: StudyConfig, base: str, advance: Advance | None) -> Encoder:
    from realign.encoder import load

    if base == "world":
        import torch

        from realign.builtin import world_encoder
        from realign.world import World

        threads = torch.get_num_threads()
        torch.set_num_threads(max(1, torch.multiprocessing.cpu_count()))
        try:
            return world_encoder(World(), advance)
        finally:
            torch.set_num_threads(threads)
    folder = config.home / base
    return load(str(folder) if folder.is_dir() else base)


def _parallel(config: StudyConfig) -> Parallel:
    from realign.files import Verses as VerseFiles
    from realign.files import find_folder
    from realign.world import World

    given = config.data.parallel
    if isinstance(given, Verses):
        codes = [language.code for language in config.pool]
        return VerseFiles(find_folder(given.folder, config.home), config.source.code, codes)
    return World()


def _labelled(config: StudyConfig) -> Labelled:
    from realign.files import Conllu as Treebanks
    from realign.files import find_folder
    from realign.world import World

    given = config.task.data
    if isinstance(given, Conllu):
        codes = [language.code for language in (config.source, *config.tune, *config.held_out)]
        return Treebanks(find_folder(given.folder, config.home), codes)
    return World()
