"""What a production realignment begins with: the encoder, the encoded text, and facts about both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from realign.build import evaluator as assemble
from realign.build import tasks
from search import terminal
from search.config.realign_file import RealignRequest
from search.results.realigned_model import BaseEncoder, PairCounts, RunFacts

if TYPE_CHECKING:
    from realign.corpora.corpus import Parallel
    from realign.encoder.encoder import Encoder
    from realign.tasks.transfer_task import TransferTask
    from realign.training.encoded_pairs import EncodedPairs, PairStore


@dataclass(frozen=True)
class Start:
    """The parts that a realignment begins with."""

    order: RealignRequest
    encoder: Encoder
    text: Parallel
    store: PairStore
    pairs_of: Mapping[str, PairCounts]
    hashes: Mapping[str, tuple[str, str]]  # code → of the text, source and target
    task: TransferTask | None  # that realignment takes turns with

    @property
    def pairs(self) -> dict[str, EncodedPairs]:
        """Encoded pairs of each language, by code."""
        return {code: self.store.of(code) for code in self.pairs_of}

    @property
    def task_steps(self) -> int:
        """Steps of fine-tuning that realignment takes turns with."""
        return 0 if self.task is None else tasks.steps(self.order.core, self.order.languages)

    @property
    def base(self) -> BaseEncoder:
        """The encoder before realignment."""
        name, encoder = str(self.order.core.model.base), self.encoder
        commit = encoder.origin.removeprefix(f"{name}@") if encoder.origin.startswith(f"{name}@") else None
        return BaseEncoder(name, commit, encoder.signature)

    def facts(self) -> RunFacts:
        """Everything the weights follow from."""
        import torch

        order, merging = self.order, self.order.merging
        pairs = order.core.pairs if merging is None or merging.pairs is None else merging.pairs
        return RunFacts(
            encoder=self.encoder.signature,
            source=order.core.source.code,
            data=self.hashes,
            parallel=self.text.signature,
            realign=order.core.realign.facts,
            steps=pairs // order.core.realign.batch,
            seed=order.seed,
            torch=torch.__version__,
            device="cuda" if torch.cuda.is_available() else "cpu",
            task=None if self.task is None else dict(self.task.facts),
            task_steps=self.task_steps,
            merging=None if merging is None else merging.document(),
        )


def prepare(order: RealignRequest, advance: terminal.Noted) -> Start:
    """Load the encoder and encode the text. InputError where either cannot be used."""
    from realign.training.encoded_pairs import PairStore

    core, languages = order.core, order.languages
    text, encoder = assemble.load_text_and_encoder(core, languages, advance)
    store = PairStore(encoder, text, core.realign, advance)
    counts: dict[str, PairCounts] = {}
    hashes: dict[str, tuple[str, str]] = {}
    for number, language in enumerate(languages, start=1):
        row = store.about(language.code)
        counts[language.code] = PairCounts(row["available"], row["pairs"], dict(row["dropped"]))
        hashes[language.code] = row["source"], row["target"]
        advance("preparing parallel text", number, len(languages))
    in_turns = core.realign.order == "during" and order.merging is None
    task = tasks.load_task_data(core, languages).task(encoder) if in_turns else None
    return Start(order, encoder, text, store, counts, hashes, task)
