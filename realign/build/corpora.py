"""Corpora of the data sets that a core names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realign.core import Core
from realign.data_sets import BitextFiles, HubSet, LabelFiles, TreebankFiles, VerseFiles, as_tuple
from selector.errors import InputError
from selector.languages.language import Pool, scripts

if TYPE_CHECKING:
    from realign.corpora.corpus import Examples, Labelled, Parallel, Split
    from realign.corpora.hub import Hub
    from realign.corpora.mixed import Member
    from realign.hub.sets import Spec


def parallel_corpus(core: Core, given: object, languages: Pool, splits: tuple[Split, ...] = ("train",)) -> Parallel:
    """Text aligned with the source, from the data set or sets `given`; its signature covers `languages`.

    A language is taken from the first set that has all `splits` of it. InputError: a set cannot be used.
    """
    from realign.corpora.mixed import MixedParallel
    from realign.world.world import World

    codes = [language.code for language in languages]
    if given == "world":
        return World()
    if not isinstance(given, tuple):
        return _parallel_set(core, given, codes)
    return MixedParallel(_members(given, lambda each, some: _parallel_set(core, each, list(some))), codes, splits)


def _parallel_set(core: Core, given: object, codes: list[str]) -> Parallel:
    from realign.corpora import bitext
    from realign.corpora.folder import find_folder
    from realign.corpora.verses import Verses

    if isinstance(given, VerseFiles):
        return Verses(find_folder(given.folder, core.home), core.source.code, codes)
    if isinstance(given, BitextFiles):
        reader = bitext.Moses if given.kind == "moses" else bitext.Tsv
        return reader(find_folder(given.folder, core.home), core.source.code, codes)
    assert isinstance(given, HubSet)
    return _hub(core, given, "parallel", codes)


def filter_pairs(core: Core, text: Parallel, pool: Pool) -> Parallel:
    """`text` without the training pairs that `[data] filter` of `core` drops; `pool` has the languages to filter."""
    from realign.corpora.filters import FilteredParallel

    if core.data.rules is None:
        return text
    written = {language.code: scripts(language) for language in (core.source, *pool)}
    return FilteredParallel(text, core.data.rules, core.source.code, written)


def sample_pairs(core: Core, text: Parallel) -> Parallel:
    """`text` with at most `data.pairs` of `core` training pairs a language."""
    from realign.store.sampled_pairs import SampledParallel

    size = core.data.pairs
    return SampledParallel(text, size) if isinstance(size, int) else text


def labelled_corpus(core: Core, targets: Pool) -> Labelled:
    """Sentences with a label per word, for the source of `core` and `targets`: tags, or entities in IOB2."""
    from realign.corpora.mixed import MixedLabelled
    from realign.world.world import World

    given, codes = core.task_data, _codes(core, targets)
    if given == "world":
        return World().entities if core.task.kind == "ner" else World()
    if not isinstance(given, tuple) and core.task.train is None:
        return _labelled_set(core, given, codes)
    return MixedLabelled(**_mixture(core, targets, lambda each, some: _labelled_set(core, each, list(some))))


def _labelled_set(core: Core, given: object, codes: list[str]) -> Labelled:
    from realign.corpora import labels
    from realign.corpora.conllu_lines import Conllu
    from realign.corpora.folder import find_folder

    if isinstance(given, TreebankFiles):
        return Conllu(find_folder(given.folder, core.home), codes)
    if isinstance(given, LabelFiles):
        return labels.Conll(find_folder(given.folder, core.home), codes)
    assert isinstance(given, HubSet)
    return _hub(core, given, core.task.kind, codes)


def examples_corpus(core: Core, targets: Pool) -> Examples:
    """Sentences or pairs of sentences with one label each, for the source of `core` and `targets`."""
    from realign.corpora.mixed import MixedExamples
    from realign.world.world import World

    given, codes = core.task_data, _codes(core, targets)
    if given == "world":
        return World()
    if not isinstance(given, tuple) and core.task.train is None:
        return _examples_set(core, given, codes)
    return MixedExamples(**_mixture(core, targets, lambda each, some: _examples_set(core, each, list(some))))


def _examples_set(core: Core, given: object, codes: list[str]) -> Examples:
    from realign.corpora import labels
    from realign.corpora.folder import find_folder

    if isinstance(given, LabelFiles):
        return labels.LabelTable(find_folder(given.folder, core.home), codes)
    assert isinstance(given, HubSet)
    return _hub(core, given, "classification", codes)


Make = Callable[[object, Sequence[str]], Any]


def _mixture(core: Core, targets: Pool, make: Make) -> dict[str, Any]:
    """Arguments of a `Mixed` of the task's sets. A language to evaluate needs both splits that a study looks at."""
    train = core.task.train
    return {
        "members": _members(as_tuple(core.task_data), make),
        "languages": [language.code for language in targets],
        "splits": ("dev", "test"),
        "training": None if train is None else _members((train,), make)[0],
        "source": core.source.code,
    }


def _members(given: Sequence[object], make: Make) -> list[Member[Any]]:
    from realign.corpora.mixed import Member

    return [Member(title(each), partial(make, each)) for each in given]


def title(given: Any) -> str:
    """Name of the data set `given` in messages."""
    return str(given.name or given.id) if isinstance(given, HubSet) else f"{given.kind} in {given.folder}"


def name_of_set(corpus: Any, given: object, language: str) -> str | None:
    """Name of the data set that `language` is taken from; None where none of several has it.

    `corpus` is the corpus made of `given`, with a filter or other wrappers around it.
    """
    if not isinstance(given, tuple) and not hasattr(corpus, "name_of"):
        return given if isinstance(given, str) else title(given)
    while not hasattr(corpus, "name_of"):
        corpus = corpus.around
    try:
        return str(corpus.name_of(language))
    except InputError:
        return None


def _codes(core: Core, targets: Pool) -> list[str]:
    return [language.code for language in (core.source, *targets)]


def _hub(core: Core, given: HubSet, task: str, codes: list[str]) -> Hub:
    from realign.corpora.hub import Hub

    return Hub(hub_spec(core, given, task), core.source.code, codes)


def hub_spec(core: Core, given: HubSet, task: str) -> Spec:
    """Specification of a data set of the hub: the known one, with the changes in `given`.

    InputError: the set is not known, or has nothing for `task`.
    """
    from realign.corpora.folder import find_folder
    from realign.hub import sets

    if given.id is not None and (given.id.startswith((".", "/", "~")) or Path(given.id).exists()):
        raise InputError(
            f"the data set id '{given.id}' is a local folder, not one of the hub",
            'give the files as kind = "moses", "tsv", "verses", "conllu", "conll" or "table"; an id is OWNER/NAME',
        )
    own = {
        key: value
        for key, value in given.document(without_none=True).items()
        if key not in ("kind", "name", "treebanks")
    }
    if given.treebanks:
        own["names"] = given.treebanks
    if isinstance(given.labels, dict):
        own["relabel"] = own.pop("labels")
    if given.path is not None:
        own["path"] = str(find_folder(given.path, core.home))
    if given.name is not None:
        return sets.alter(sets.find_set(given.name, task), own)
    path = own.pop("path", None)
    described = sets.spec_of({"tasks": (task,), "columns": {}, **own})
    return described.at(path) if path else described
