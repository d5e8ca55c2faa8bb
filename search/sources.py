"""Where a study's text comes from: its `[data]` and `[task]` sections as the corpora of `realign`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from search.config import Conllu, StudyConfig, Verses
from selector.language import Pool

if TYPE_CHECKING:
    from realign.corpus import Examples, Labelled, Parallel


def parallel(config: StudyConfig, given: object, languages: Pool) -> Parallel:
    """Text aligned with the source; the signature covers `languages`."""
    from realign.files import Verses as VerseFiles
    from realign.files import find_folder
    from realign.world import World

    if isinstance(given, Verses):
        codes = [language.code for language in languages]
        return VerseFiles(find_folder(given.folder, config.home), config.source.code, codes)
    return World()


def labelled(config: StudyConfig) -> Labelled:
    """Sentences with a label per word: tags, or entities in IOB2 where the task is NER."""
    from realign.files import Conllu as Treebanks
    from realign.files import find_folder
    from realign.world import World

    given = config.task_data
    if isinstance(given, Conllu):
        codes = [language.code for language in (config.source, *config.tune, *config.held_out)]
        return Treebanks(find_folder(given.folder, config.home), codes)
    return World().entities if config.task.kind == "ner" else World()


def examples(config: StudyConfig) -> Examples:
    """Sentences, or pairs of them, with one label each."""
    from realign.world import World

    return World()
