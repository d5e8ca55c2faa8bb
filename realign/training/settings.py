"""The settings of one realignment and of one fine-tuning. Part of every signature."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from realign.section import Range, Section, SettingError, setting

Aligner = Literal["mutual", "itermax", "dictionary", "gold", "pharaoh"]
Freeze = Literal["none", "lower", "upper"] | tuple[Annotated[int, Range(ge=0)], ...]
Precision = Literal["auto", "fp32", "bf16"]
Count = Annotated[int, Range(ge=1, le=10_000_000)]
Rate = Annotated[float, Range(gt=0, lt=10)]
Length = Annotated[int, Range(ge=8, le=8192)]


@dataclass(frozen=True)
class LoRA(Section):
    """Low-rank updates W + (alpha / rank) · B A instead of full ones (Hu et al. 2022); merged into W at the end."""

    rank: Count = setting(8, "Rank of the updates.")
    alpha: Annotated[float, Range(gt=0)] = setting(16.0, "The updates are scaled by alpha / rank.")


@dataclass(frozen=True)
class Realignment(Section):
    """Settings of a realignment. Defaults suit a small encoder; the paper's for XLM-R-base: lr 7.5e-6, 24,544 steps of
    16 pairs.

    SettingError where two settings exclude each other.
    """

    loss: Literal["sentence", "word"] = setting(
        "sentence", "What is pulled together: translated sentences, or words that translate each other."
    )
    aligner: Aligner | None = setting(
        None,
        "How translated words are found, for the word loss: by similarity in the encoder (mutual, itermax), from a "
        "dictionary, from the embedded world itself (gold), or from files of links (pharaoh).",
    )
    dictionary: str = setting(
        "", 'Folder of the dictionaries of aligner = "dictionary", from the study file on or under $REALINGO_DATA.'
    )
    alignments: str = setting(
        "", 'Folder of the word links of aligner = "pharaoh", from the study file on or under $REALINGO_DATA.'
    )
    pooling: Literal["mean", "first", "reference-prefix"] = setting(
        "mean",
        "How a sentence or a word becomes one vector: the mean over its sub-words, the first of them (word loss), or "
        "as the reference code did (sentence loss).",
    )
    negatives: Literal["all", "cross"] = setting(
        "all", "What a pair is contrasted with: everything else in the batch, or only the other side (cross)."
    )
    projection: bool = setting(True, "Compare through a projection head that is thrown away afterwards, as in SimCLR.")
    anchor: Annotated[float, Range(ge=0)] = setting(
        0.0, "Weight of the squared distance to the starting weights; 0 means none."
    )
    steps: Count = setting(
        200, "Optimizer steps; steps times batch is the budget in sentence pairs, in total over the subset."
    )
    batch: Count = setting(16, "Sentence pairs in one step.")
    lr: Rate = setting(1e-3, "Highest learning rate (AdamW without weight decay).")
    schedule: Literal["constant", "linear"] = setting(
        "constant", "Learning rate after the warm-up: constant, or falling linearly to zero."
    )
    warmup: Annotated[float, Range(ge=0, lt=1)] = setting(
        0.0, "Share of the steps in which the learning rate rises from zero."
    )
    temperature: Annotated[float, Range(gt=0)] = setting(0.1, "Temperature of the contrastive loss.")
    layer: int = setting(
        -1,
        "Layer whose states are compared: -1 is the output of the last block, -2 the block before, 0 the embeddings.",
    )
    freeze: Freeze = setting(
        "none", "Blocks that keep their weights: none, the lower or upper half, or a list of block numbers from 0."
    )
    lora: LoRA | None = setting(None, "Low-rank updates instead of full ones, as a table; left out: full updates.")
    order: Literal["before", "during"] = setting("before", "Realign before fine-tuning, or in turns with it (during).")
    precision: Precision = setting("auto", "Number format in training; auto is bf16 on CUDA and fp32 elsewhere.")
    deterministic: bool = setting(True, "Compute the same bits each time on CUDA too, at some speed.")
    max_length: Length = setting(96, "Longest sentence in sub-words; what is longer is cut.")

    def __post_init__(self) -> None:
        for wrong, message, hint in self._conflicts():
            if wrong:
                raise SettingError(message, hint)

    @property
    def facts(self) -> dict[str, Any]:
        """Settings that can change the weights, apart from the data and the number of steps, as JSON values."""
        elsewhere = ("steps", "dictionary", "alignments")  # in the fidelity, and in the signature of the text
        whole = {key: value for key, value in asdict(self).items() if key not in elsewhere}
        return {**whole, "aligner": self.aligner if self.loss == "word" else None}

    def _conflicts(self) -> tuple[tuple[bool, str, str], ...]:
        word = self.loss == "word"
        folders = (("dictionary", "dictionary"), ("pharaoh", "alignments"))
        return (
            *(
                (
                    (self.aligner == name) != bool(getattr(self, key)),
                    f'aligner = "{name}" and {key} = "FOLDER" go together',
                    "",
                )
                for name, key in folders
            ),
            (word and self.aligner is None, 'loss = "word" needs an aligner', 'aligner = "mutual" needs no data'),
            (
                self.pooling == ("reference-prefix" if word else "first"),
                f'pooling = "{self.pooling}" is for the {"sentence" if word else "word"} loss',
                f'with loss = "{self.loss}": "mean" or "{"first" if word else "reference-prefix"}"',
            ),
            (
                self.lora is not None and self.freeze != "none",
                "lora trains none of the encoder's own weights, so freeze has nothing to freeze",
                "leave one of the two out",
            ),
            (self.lora is not None and self.anchor > 0, "lora has no starting weights to anchor", "leave anchor out"),
            (
                self.lora is not None and self.order == "during",
                'lora is merged after realignment, so it cannot take turns with fine-tuning (order = "during")',
                'use order = "before"',
            ),
            (
                not word and self.batch < 2,
                'with loss = "sentence" a batch of one pair has nothing to be compared with: its loss is always 0',
                "set batch to 2 or more",
            ),
            (self.freeze == (), "freeze names no block", 'write freeze = "none", or the numbers of blocks'),
        )


@dataclass(frozen=True)
class Tuning(Section):
    """Settings of the fine-tuning steps that a study file may set."""

    batch: Count = setting(16, "Sentences in one step of fine-tuning.")
    lr: Rate = setting(1e-3, "Highest learning rate of fine-tuning (AdamW without weight decay).")
    max_length: Length = setting(128, "Longest sentence in sub-words; what is longer is cut.")


@dataclass(frozen=True)
class FineTuning(Tuning):
    """Settings of fine-tuning: AdamW, 10 % linear warm-up, then linear decay.

    The paper's: batch 32; 5 epochs for POS and NER, 2 for classification (arXiv 2511.06497).
    """

    warmup: float = setting(0.1, "Share of the steps in which the learning rate rises from zero.")
    precision: Precision = setting("auto", "Number format in training; auto is bf16 on CUDA and fp32 elsewhere.")
