"""Where a study's text comes from: its `[data]` and `[task]` sections as the corpora of `realign`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.config.core_schema import Bitext, Conllu, Hub, Labels, Verses, several
from search.config.sample_size import sample_size
from search.config.study_config import StudyConfig
from selector.errors import InputError
from selector.languages.language import Pool, scripts

if TYPE_CHECKING:
    from realign.corpora.base import Examples, Labelled, Parallel, Split
    from realign.corpora.hub import Hub as HubData
    from realign.corpora.mixed import Member
    from realign.hub.sets import Spec


def parallel(config: StudyConfig, given: object, languages: Pool, splits: tuple[Split, ...] = ("train",)) -> Parallel:
    """Text aligned with the source; the signature covers `languages`. Of several sets each must have all `splits`."""
    from realign.corpora.mixed import MixedParallel
    from realign.world.world import World

    codes = [language.code for language in languages]
    if given == "world":
        return World()
    if not isinstance(given, tuple):
        return _parallel(config, given, codes)
    return MixedParallel(_members(given, lambda each, some: _parallel(config, each, list(some))), codes, splits)


def _parallel(config: StudyConfig, given: object, codes: list[str]) -> Parallel:
    from realign.corpora import bitext
    from realign.corpora.verses import Verses as VerseFiles
    from realign.corpora.verses import find_folder

    if isinstance(given, Verses):
        return VerseFiles(find_folder(given.folder, config.home), config.source.code, codes)
    if isinstance(given, Bitext):
        reader = bitext.Moses if given.kind == "moses" else bitext.Tsv
        return reader(find_folder(given.folder, config.home), config.source.code, codes)
    assert isinstance(given, Hub)
    return _hub(config, given, "parallel", codes)


def filtered(config: StudyConfig, text: Parallel) -> Parallel:
    """Parallel text without the training pairs that `[data] filter` drops."""
    from realign.corpora.filters import Filtered, Rules

    if config.data.rules is None:
        return text
    written = {language.code: scripts(language) for language in (config.source, *config.pool)}
    return Filtered(text, Rules(**dict(config.data.rules)), config.source.code, written)


def sampled(config: StudyConfig, text: Parallel) -> Parallel:
    """Parallel text without the training pairs that no run of the study can see."""
    from realign.store.sampled_pairs import Sampled

    size = sample_size(config)
    return text if size is None else Sampled(text, size)


def labelled(config: StudyConfig) -> Labelled:
    """Sentences with a label per word: tags, or entities in IOB2 where the task is NER."""
    from realign.corpora.mixed import MixedLabelled
    from realign.world.world import World

    given, codes = config.task_data, _codes(config)
    if given == "world":
        return World().entities if config.task.kind == "ner" else World()
    if not isinstance(given, tuple) and config.task.train is None:
        return _labelled(config, given, codes)
    return MixedLabelled(**_mixture(config, lambda each, some: _labelled(config, each, list(some))))


def _labelled(config: StudyConfig, given: object, codes: list[str]) -> Labelled:
    from realign.corpora import labels
    from realign.corpora.verses import Conllu as Treebanks
    from realign.corpora.verses import find_folder

    if isinstance(given, Conllu):
        return Treebanks(find_folder(given.folder, config.home), codes)
    if isinstance(given, Labels):
        return labels.Conll(find_folder(given.folder, config.home), codes)
    assert isinstance(given, Hub)
    return _hub(config, given, config.task.kind, codes)


def examples(config: StudyConfig) -> Examples:
    """Sentences, or pairs of them, with one label each."""
    from realign.corpora.mixed import MixedExamples
    from realign.world.world import World

    given, codes = config.task_data, _codes(config)
    if given == "world":
        return World()
    if not isinstance(given, tuple) and config.task.train is None:
        return _examples(config, given, codes)
    return MixedExamples(**_mixture(config, lambda each, some: _examples(config, each, list(some))))


def _examples(config: StudyConfig, given: object, codes: list[str]) -> Examples:
    from realign.corpora import labels
    from realign.corpora.verses import find_folder

    if isinstance(given, Labels):
        return labels.Table(find_folder(given.folder, config.home), codes)
    assert isinstance(given, Hub)
    return _hub(config, given, "classification", codes)


Make = Callable[[object, Sequence[str]], Any]


def _mixture(config: StudyConfig, make: Make) -> dict[str, Any]:
    """The arguments of a `Mixed` of the task's sets: what is evaluated has both splits that a study looks at."""
    train = config.task.train
    return {
        "members": _members(several(config.task_data), make),
        "languages": [language.code for language in (*config.tune, *config.held_out)],
        "splits": ("dev", "test"),
        "training": None if train is None else _members((train,), make)[0],
        "source": config.source.code,
    }


def _members(given: Sequence[object], make: Make) -> list[Member[Any]]:
    from realign.corpora.mixed import Member

    return [Member(title(each), partial(make, each)) for each in given]


def title(given: Any) -> str:
    """What a data set is called in messages."""
    return str(given.name or given.id) if isinstance(given, Hub) else f"{given.kind} in {given.folder}"


def set_of(corpus: Any, given: object, language: str) -> str | None:
    """What the data set is called that a language is taken from; None where none of several has it.

    `corpus`: what was made of `given`, with a filter or whatever else around it.
    """
    if not isinstance(given, tuple) and not hasattr(corpus, "name_of"):
        return given if isinstance(given, str) else title(given)
    while not hasattr(corpus, "name_of"):
        corpus = corpus.around
    try:
        return str(corpus.name_of(language))
    except InputError:
        return None


def _codes(config: StudyConfig) -> list[str]:
    return [language.code for language in (config.source, *config.tune, *config.held_out)]


def _hub(config: StudyConfig, given: Hub, task: str, codes: list[str]) -> HubData:
    from realign.corpora.hub import Hub as Reader

    return Reader(spec(config, given, task), config.source.code, codes)


def spec(config: StudyConfig, given: Hub, task: str) -> Spec:
    """How a data set of the hub is read: what is known of it, and what the study says. InputError: not known."""
    from realign.corpora.verses import find_folder
    from realign.hub import sets

    if given.id is not None and (given.id.startswith((".", "/", "~")) or Path(given.id).exists()):
        raise InputError(
            f"the data set id '{given.id}' is a local folder, not one of the hub",
            'give the files as kind = "moses", "tsv", "verses", "conllu", "conll" or "table"; an id is OWNER/NAME',
        )
    own = given.model_dump(exclude={"kind", "name", "treebanks"}, exclude_none=True)
    if given.treebanks:
        own["names"] = given.treebanks
    if isinstance(given.labels, dict):
        own["relabel"] = own.pop("labels")
    if given.path is not None:
        own["path"] = str(find_folder(given.path, config.home))
    if given.name is not None:
        return sets.altered(sets.named(given.name, task), own)
    path = own.pop("path", None)
    described = sets.spec_of({"tasks": (task,), "columns": {}, **own})
    return described.at(path) if path else described
