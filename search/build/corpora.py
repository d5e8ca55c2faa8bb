"""Where a study's text comes from: its `[data]` and `[task]` sections as the corpora of `realign`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from search.config.core_schema import Bitext, Conllu, Hub, Labels, Verses
from search.config.study_config import StudyConfig
from selector.errors import InputError
from selector.languages.language import Pool, scripts

if TYPE_CHECKING:
    from realign.corpora.base import Examples, Labelled, Parallel
    from realign.corpora.hub import Hub as HubData


def parallel(config: StudyConfig, given: object, languages: Pool) -> Parallel:
    """Text aligned with the source; the signature covers `languages`."""
    from realign.corpora import bitext
    from realign.corpora.verses import Verses as VerseFiles
    from realign.corpora.verses import find_folder
    from realign.world.world import World

    codes = [language.code for language in languages]
    if isinstance(given, Verses):
        return VerseFiles(find_folder(given.folder, config.home), config.source.code, codes)
    if isinstance(given, Bitext):
        reader = bitext.Moses if given.kind == "moses" else bitext.Tsv
        return reader(find_folder(given.folder, config.home), config.source.code, codes)
    return _hub(config, given, "parallel", codes) if isinstance(given, Hub) else World()


def filtered(config: StudyConfig, text: Parallel) -> Parallel:
    """Parallel text without the training pairs that `[data] filter` drops."""
    from realign.corpora.filters import Filtered, Rules

    if config.data.rules is None:
        return text
    written = {language.code: scripts(language) for language in (config.source, *config.pool)}
    return Filtered(text, Rules(**dict(config.data.rules)), config.source.code, written)


def labelled(config: StudyConfig) -> Labelled:
    """Sentences with a label per word: tags, or entities in IOB2 where the task is NER."""
    from realign.corpora import labels
    from realign.corpora.verses import Conllu as Treebanks
    from realign.corpora.verses import find_folder
    from realign.world.world import World

    given, codes = config.task_data, _codes(config)
    if isinstance(given, Conllu):
        return Treebanks(find_folder(given.folder, config.home), codes)
    if isinstance(given, Labels):
        return labels.Conll(find_folder(given.folder, config.home), codes)
    if isinstance(given, Hub):
        return _hub(config, given, config.task.kind, codes)
    return World().entities if config.task.kind == "ner" else World()


def examples(config: StudyConfig) -> Examples:
    """Sentences, or pairs of them, with one label each."""
    from realign.corpora import labels
    from realign.corpora.verses import find_folder
    from realign.world.world import World

    given, codes = config.task_data, _codes(config)
    if isinstance(given, Labels):
        return labels.Table(find_folder(given.folder, config.home), codes)
    return _hub(config, given, "classification", codes) if isinstance(given, Hub) else World()


def _codes(config: StudyConfig) -> list[str]:
    return [language.code for language in (config.source, *config.tune, *config.held_out)]


def _hub(config: StudyConfig, given: Hub, task: str, codes: list[str]) -> HubData:
    from dataclasses import asdict

    from realign.corpora import hub

    if given.id is not None and (given.id.startswith((".", "/", "~")) or Path(given.id).exists()):
        raise InputError(
            f"the data set id '{given.id}' is a local folder, not one of the hub",
            'give the files as kind = "moses", "tsv", "verses", "conllu", "conll" or "table"; an id is OWNER/NAME',
        )
    own = given.model_dump(exclude={"kind", "name"}, exclude_none=True)
    known = asdict(hub.named(given.name, task)) if given.name else {"tasks": (task,)}
    return hub.Hub(hub.spec_of({**known, **own}), config.source.code, codes)
