"""Realignment and fine-tuning in turns: what order, layer and freeze train, going on later, encoder and head saved."""

from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForTokenClassification,
    BertConfig,
    DebertaV2Config,
    DistilBertConfig,
    EuroBertConfig,
    ModernBertConfig,
    PreTrainedConfig,
    XLMRobertaConfig,
)

from realign.encoder.encoder import HEAD, Answers, Encoder, load, save_with_head, transformer_blocks
from realign.encoder.used_rows import narrow
from realign.realign_and_transfer import RealignAndTransfer
from realign.score import Fidelity, Tally
from realign.tasks.in_turns import InTurns
from realign.tasks.tagging import Tagging
from realign.tasks.transfer_task import FineTuning, train
from realign.training import checkpoint
from realign.training.encoded_pairs import EncodedPairs, PairStore
from realign.training.pretraining import Shape, pretrain
from realign.training.realigner import Realigner, vocabularies
from realign.training.settings import Freeze, Realignment
from realign.world.world import Sizes, World
from selector.languages.language import parse
from selector.languages.subset import Subset

SIZES = Sizes(parallel=40, source=60, evaluation=12, text=80, source_text=120, low_text=40)
TINY = Shape(vocabulary=800, layers=2, width=32, heads=2, steps=10, batch=32, length=32)
STEPS, LESSONS = 7, 11  # of realignment and of fine-tuning: neither divides the other
Pairs = dict[str, EncodedPairs]
Weights = dict[str, Tensor]


@pytest.fixture(scope="module")
def encoder(world: World, tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    texts = {code: world.texts(code) for code in ("eng", "deu", "fin")}
    return load(str(pretrain(texts, TINY, 0, tmp_path_factory.mktemp("models") / "tiny")))


@pytest.fixture(scope="module")
def pairs(world: World, encoder: Encoder) -> Pairs:
    store = PairStore(encoder, world, Realignment(loss="word", aligner="mutual"))
    return {code: store.of(code) for code in ("deu", "fin")}


@pytest.fixture(scope="module")
def task(world: World, encoder: Encoder) -> Tagging:
    return Tagging(encoder, world, "eng", FineTuning(batch=8))


def begun(encoder: Encoder, pairs: Pairs, task: Tagging, how: Realignment) -> InTurns:
    model = encoder.copy()
    for part in model.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.1  # chance must be taken up where it was left, too
    return InTurns(model, pairs, how, STEPS, task.tuner(model, LESSONS, 3), LESSONS, 3)


def weights(training: InTurns) -> Weights:
    return {**training.model.state_dict(), **{f"head.{name}": w for name, w in training.head.state_dict().items()}}


def equal(ours: Weights, theirs: Weights) -> bool:
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


HOWS = [
    Realignment(batch=4, order="during"),
    Realignment(batch=4, order="during", freeze="lower", anchor=0.1),
    Realignment(batch=4, order="during", layer=1, loss="word", aligner="mutual", schedule="linear"),
]


@pytest.mark.parametrize("how", HOWS, ids=["plain", "frozen", "words at a middle layer"])
def test_stopped_at_three_moments_it_ends_in_the_same_weights(
    encoder: Encoder, pairs: Pairs, task: Tagging, tmp_path: Path, how: Realignment
) -> None:
    whole = begun(encoder, pairs, task, how)
    whole.complete()
    file = tmp_path / "state.safetensors"
    for moment in (1, 4, 9):
        part = begun(encoder, pairs, task, how)
        if file.exists():
            checkpoint.load(file, part, "run")
        while part.position < moment:
            part.step()
        checkpoint.save(file, part, "run")
    last = begun(encoder, pairs, task, how)
    checkpoint.finish_training(last, file, "run")
    assert equal(weights(last), weights(whole))
    assert last.pairs_by_language == whole.pairs_by_language == {"deu": 14, "fin": 14}


def test_it_is_the_fine_tuning_loop_with_realignment_before_each_step(
    encoder: Encoder, pairs: Pairs, task: Tagging
) -> None:
    how, model = HOWS[0], encoder.copy()
    tuner = task.tuner(model, LESSONS, 3)
    widen = narrow(model, [tuner.vocabulary, *vocabularies(pairs)])
    realigner = Realigner(model, pairs, how, STEPS, 3)
    head = train(model, tuner, LESSONS, before=realigner.beside(LESSONS))
    realigner.finish()
    widen()
    ours = InTurns(other := encoder.copy(), pairs, how, STEPS, task.tuner(other, LESSONS, 3), LESSONS, 3)
    ours.complete()
    assert equal(weights(ours), {**model.state_dict(), **{f"head.{name}": w for name, w in head.state_dict().items()}})


class Seen(Tagging):
    """A task that remembers the encoder that it was asked to score."""

    model: nn.Module

    def evaluate(self, model: nn.Module, *rest: Any, **others: Any) -> dict[str, Tally]:
        self.model = model
        return super().evaluate(model, *rest, **others)


# As the literature has them: before (arXiv 2511.06497), with the lower half frozen (AlignFreeze, arXiv 2502.12959),
# during fine-tuning (arXiv 2306.02790), during at a middle layer (arXiv 2502.14830).
@pytest.mark.parametrize(
    ("order", "layer", "freeze", "moved"),
    [
        ("before", -1, "none", [True, True]),
        ("before", -1, "lower", [False, True]),
        ("before", 1, "none", [True, False]),
        ("during", -1, "none", [True, True]),
        ("during", 1, "none", [True, False]),
        ("during", -1, "lower", [False, True]),
    ],
)
def test_order_layer_and_freeze_reach_the_training(
    world: World,
    encoder: Encoder,
    order: Literal["before", "during"],
    layer: int,
    freeze: Freeze,
    moved: list[bool],
) -> None:
    task = Seen(encoder, world, "eng", FineTuning(batch=8, lr=0.0))  # so realignment alone moves the encoder
    how = Realignment(batch=4, order=order, layer=layer, freeze=freeze)
    score = RealignAndTransfer(encoder, world, task, ("deu",), "dev", how)
    score(Subset.of([parse("deu")]), Fidelity(pairs=12, steps=3, examples=4), 0)
    changed = [
        any(not torch.equal(a, b) for a, b in zip(new.parameters(), old.parameters(), strict=True))
        for new, old in zip(transformer_blocks(task.model), transformer_blocks(encoder.model), strict=True)
    ]
    assert changed == moved


SHAPE = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
KINDS: list[tuple[PreTrainedConfig, bool]] = [  # and whether the class of `transformers` has a head like ours
    (XLMRobertaConfig(vocab_size=900, **SHAPE), True),
    (BertConfig(vocab_size=900, **SHAPE), True),
    (DistilBertConfig(vocab_size=900, dim=16, n_layers=2, n_heads=2, hidden_dim=32), True),
    (DebertaV2Config(vocab_size=900, **SHAPE), True),
    (EuroBertConfig(vocab_size=900, num_key_value_heads=1, pad_token_id=0, **SHAPE), True),
    (ModernBertConfig(vocab_size=900, pad_token_id=0, **SHAPE), False),
]


@pytest.mark.parametrize(("config", "fits"), KINDS, ids=[config.model_type for config, _ in KINDS])
def test_encoder_and_head_are_saved_for_transformers(
    encoder: Encoder, tmp_path: Path, config: PreTrainedConfig, fits: bool
) -> None:
    torch.manual_seed(0)
    model, head = AutoModel.from_config(config).eval(), nn.Linear(16, 3)
    loads = save_with_head(model, head, Answers(("ADJ", "NOUN", "VERB"), "word"), encoder.tokenizer, tmp_path / "model")
    assert loads == ("AutoModelForTokenClassification" if fits else HEAD)
    given = {"input_ids": torch.tensor([[5, 9, 7]]), "attention_mask": torch.ones(1, 3, dtype=torch.long)}
    with torch.inference_mode():
        states = model(**given)[0]
        again = AutoModel.from_pretrained(tmp_path / "model").eval()
        assert torch.allclose(again(**given)[0], states, atol=1e-6)
        assert all(torch.equal(again.state_dict()[name], weight) for name, weight in model.state_dict().items())
        if fits:
            whole = AutoModelForTokenClassification.from_pretrained(tmp_path / "model").eval()
            assert torch.allclose(whole(**given).logits, head(states), atol=1e-5)
            assert whole.config.id2label == {0: "ADJ", 1: "NOUN", 2: "VERB"}
    assert (tmp_path / "model" / HEAD).exists() is not fits
    assert AutoConfig.from_pretrained(tmp_path / "model").model_type == config.model_type
    assert load(str(tmp_path / "model")).width == 16
