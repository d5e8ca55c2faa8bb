"""`realingo realign DIR_OR_TOML -o MODEL_DIR --merge`: the encoder that is merged from language vectors.

Its weights are those that a search with merged vectors scores before fine-tuning (realign/merging/merger.py). Each
language is realigned alone, once: its vector stays in the cache, where searches and later merges find it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from realign.score import Advance, Merging
from search import terminal
from search.config import realign_file
from search.config.realign_file import MergingSection
from search.export.model_folder import ModelFolder, describe
from search.export.preparation import Start, prepare
from search.interrupts import Interrupts
from search.results.realigned_model import MergedFrom, RealignedModel
from selector.errors import StopError, quantity

if TYPE_CHECKING:
    from torch import nn

    from realign.inputs import Inputs
    from realign.merging.merger import LanguageVectors

VECTOR = "language vector"
KEPT = "the language vectors are in the cache: free some disk space and run the same command again"


def merge(given: Path, target: Path, overrides: list[str], sentences: bool = False, where: str = "") -> RealignedModel:
    """Merge an encoder as an export's folder or a TOML file says, and write it to `target`.

    With `sentences`, or where the task is retrieval, sentence-transformers loads it too. `where`: the repository that
    the examples of its card load. InputError, with nothing written: wrong input or an occupied folder. RunError: no
    room on the disk, divergence, another process at it. StopError on SIGINT and SIGTERM; finished vectors are kept.
    """
    order = realign_file.read(given, overrides, merge=True)
    assert order.merging is not None
    folder = ModelFolder.of(target, False, sentences, where)
    with terminal.progress() as advance, Interrupts() as interrupts:
        with interrupts.welcome():
            start = prepare(order, advance)
            folder = folder.with_sentences(start)
        with folder.hold():
            return _Merge(start, order.merging, folder).run(advance, interrupts)


@dataclass(frozen=True)
class _Merge:
    start: Start
    merging: MergingSection
    folder: ModelFolder

    def run(self, advance: terminal.Noted, interrupts: Interrupts) -> RealignedModel:
        """Train the vectors that are missing, merge, and publish."""
        begun = time.monotonic()
        with interrupts.welcome():
            vectors = self._vectors(advance)
            keys, missing = vectors.keys(*self._arguments), vectors.missing(*self._arguments)
        terminal.remark(_plan(len(keys), missing))
        self._train(missing, advance, interrupts)
        model = vectors.merge(*self._arguments)
        used = dict.fromkeys(self.start.pairs_of, self._pairs_seen)
        made = describe(self.start, self.start.facts(), used, time.monotonic() - begun)
        merged = MergedFrom(self.merging.document(), keys, len(missing))
        made = replace(made, sentences=self.folder.sentences, merged=merged)
        return self.folder.publish(self.start, made, partial(self._save, model), KEPT)

    @property
    def _arguments(self) -> tuple[list[str], int, int, Merging]:
        """The languages, the pairs of each, the first seed, and how to merge."""
        order = self.start.order
        codes = [language.code for language in order.languages]
        return codes, self._pairs, order.seed, self.merging.merging

    @property
    def _pairs(self) -> int:
        assert self.merging.pairs is not None
        return self.merging.pairs

    @property
    def _pairs_seen(self) -> int:
        """Pairs of one language that were trained on, over its seeds: in whole batches."""
        batch = self.start.order.core.realign.batch
        return self._pairs // batch * batch * self.merging.seeds

    @cached_property
    def _inputs(self) -> Inputs:
        """Text and weights as they were when they were read."""
        from realign.inputs import Inputs

        text, encoder = self.start.text, self.start.encoder
        found = Inputs({"the parallel text": lambda: text.signature, "the encoder": encoder.signature_now})
        found.expect({"the encoder": encoder.signature})
        return found

    def _vectors(self, advance: Advance) -> LanguageVectors:
        from realign.merging.merger import LanguageVectors
        from realign.realign_and_transfer import realigned_facts

        start, settings = self.start, self.start.order.core.realign
        facts = realigned_facts(start.encoder, settings)
        return LanguageVectors(start.encoder, start.store, settings, facts, self._inputs.check, advance)

    def _train(self, missing: Sequence[tuple[str, int]], advance: terminal.Noted, interrupts: Interrupts) -> None:
        """Train the vectors of these codes and seeds. StopError where an interrupt is asked for."""
        alone = replace(self.merging.merging, seeds=1)
        for number, (code, seed) in enumerate(missing, 1):

            def show(what: str, done: int, total: int, number: int = number, code: str = code) -> None:
                advance(f"{what} on {code} ({number} of {len(missing)})", done, total)

            try:
                with interrupts.welcome():
                    self._vectors(show).of([code], self._pairs, seed, alone)
            except KeyboardInterrupt:
                done = len(missing) - len(self._vectors(show).missing(*self._arguments))
                message = f"stopped; {done} of the {quantity(len(missing), VECTOR)} to train are finished, in the cache"
                raise StopError(message, "run the same command again: what is finished is not trained again") from None

    def _save(self, model: nn.Module, draft: Path) -> None:
        from realign.encoder.encoder import save

        save(model, self.start.encoder.tokenizer, draft)


def _plan(total: int, missing: Sequence[tuple[str, int]]) -> str:
    """A line on what is in the cache and what is trained."""
    found = f"{quantity(total - len(missing), VECTOR)} in the cache, not trained again" if total > len(missing) else ""
    codes = ", ".join(dict.fromkeys(code for code, _ in missing))
    return "; ".join(filter(None, [found, f"{quantity(len(missing), VECTOR)} to train: {codes}" if missing else ""]))
