"""Parallel text as OPUS ships it (opus.nlpl.eu, "moses"), once unpacked: two files whose lines correspond.

    <folder>/<pattern>.<code of the source>   NLLB.en-sw.en     with pattern "NLLB.{pair}" and codes "iso1"
    <folder>/<pattern>.<code of the language> NLLB.en-sw.sw

Both may be compressed (.gz). All of it is training text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from realign.corpora import bitext
from realign.corpora.base import Pair, Split, Stream
from realign.corpora.folder import sign, stamped
from realign.hub.sets import Spec
from selector.errors import NoDataError


class Opus:
    """Pairs of line-aligned files named by a pattern. `languages` names what the `signature` covers."""

    def __init__(self, folder: Path, pattern: str, spec: Spec, source: str, languages: Iterable[str]) -> None:
        """`spec` knows how the codes are spelled."""
        self._folder, self._pattern, self._spec = folder, pattern, spec
        self._source, self._languages = source, tuple(sorted(set(languages)))

    @property
    def signature(self) -> str:
        """SHA-256 over the names and bytes of the files in use."""
        sides = [self._sides(language) for language in self._languages if self.has(language, "train")]
        return sign(f"opus:{self._source}", [path for pair in sides for path in pair])

    def has(self, language: str, split: Split) -> bool:
        """Whether there are files of this language."""
        return split == "train" and None not in map(_either, self._names(language))

    def pairs(self, language: str, split: Split) -> Sequence[Pair]:
        """NoDataError: no files of the language, or another split than train; InputError: unequal length, not UTF-8."""
        if split != "train":
            raise NoDataError(f"{self._folder} holds training text only, no {split}", "take other data for evaluation")
        ours, theirs = self._sides(language)
        bitext._sound_sides(stamped(ours), stamped(theirs))
        return Stream(lambda: bitext._zipped(ours, theirs))

    def _names(self, language: str) -> list[Path]:
        stem = self._spec.fill(self._pattern, self._source, language)
        return [self._folder / f"{stem}.{self._spec.code(code)}" for code in (self._source, language)]

    def _sides(self, language: str) -> tuple[Path, Path]:
        wanted = self._names(language)
        found = [_either(path) for path in wanted]
        for name, path in zip(wanted, found, strict=True):
            if path is None:
                raise NoDataError(f"there is no {name} or {name.name}.gz", f"unpack it there, or leave {language} out")
        ours, theirs = (path for path in found if path is not None)
        return ours, theirs


def _either(path: Path) -> Path | None:
    return next((some for some in (path, path.with_name(f"{path.name}.gz")) if some.is_file()), None)
