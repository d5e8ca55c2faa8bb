"""What is fast computes what is plain: packed equals padded, several side by side equal each alone."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from transformers import (
    BertConfig,
    BertModel,
    DebertaV2Config,
    DebertaV2Model,
    DistilBertConfig,
    DistilBertModel,
    EuroBertConfig,
    EuroBertModel,
    ModernBertConfig,
    ModernBertModel,
    XLMRobertaConfig,
    XLMRobertaModel,
)

from realign.encoder.encoder import Encoder, hidden_states, load
from realign.encoder.hidden_states import net_of, rotary_net_of
from realign.encoder.packed import Layout
from realign.encoder.used_rows import UsedRows, narrow
from realign.evaluators.wrappers import Cached, WithSecondScore
from realign.realign_and_transfer import RealignAndTransfer
from realign.score import Fidelity
from realign.tasks import side_by_side
from realign.tasks.tagging import Tagging
from realign.tasks.transfer_task import FineTuning
from realign.training.encoded_pairs import PairStore
from realign.training.optimizer import Descent, end_to_end
from realign.training.pretraining import Shape, pretrain
from realign.training.realigner import Realigner, vocabularies
from realign.training.settings import LoRA, Realignment
from realign.training.stacked_steps import NONE, CandidateRun, RealignSteps, lay_out
from realign.training.stacked_weights import StackedWeights
from realign.world.world import Sizes, World
from selector.languages.language import parse
from selector.languages.subset import Subset

SIZES = Sizes(parallel=40, source=160, evaluation=20, text=120, source_text=200, low_text=40)
TINY = Shape(vocabulary=800, layers=2, width=32, heads=2, steps=30, batch=32, length=32)
WORD = Realignment(loss="word", aligner="gold", batch=8)
SENTENCE = Realignment(batch=8)
FIDELITY = Fidelity(pairs=48, steps=6, examples=10)

WIDE = {"vocab_size": 90, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 64}
NO_WORD: dict[str, Any] = {"pad_token_id": 7, "eos_token_id": 7, "bos_token_id": 6}  # 7 stands in sentences, too
RELATIVE = {"relative_attention": True, "position_buckets": 8, "pos_att_type": "c2p|p2c", "share_att_key": True}
RELATIVE |= {"norm_rel_ebd": "layer_norm", "position_biased_input": False}
MODELS: dict[str, Any] = {
    "bert": lambda: BertModel(BertConfig(**WIDE)),
    "xlm-roberta": lambda: XLMRobertaModel(XLMRobertaConfig(**WIDE, max_position_embeddings=50)),
    "distilbert": lambda: DistilBertModel(
        DistilBertConfig(vocab_size=90, dim=32, n_layers=3, n_heads=4, hidden_dim=64)
    ),
    "modernbert": lambda: ModernBertModel(ModernBertConfig(**WIDE, pad_token_id=0, local_attention=16)),
    "modernbert, biases": lambda: ModernBertModel(
        ModernBertConfig(**WIDE, pad_token_id=0, attention_bias=True, mlp_bias=True, norm_bias=True)
    ),
    "eurobert": lambda: EuroBertModel(EuroBertConfig(**WIDE, **NO_WORD, num_key_value_heads=2)),
    "eurobert, scaled": lambda: EuroBertModel(
        EuroBertConfig(
            **WIDE, **NO_WORD, head_dim=12, rope_parameters={"rope_type": "linear", "factor": 4.0, "rope_theta": 1e4}
        )
    ),
    "deberta": lambda: DebertaV2Model(DebertaV2Config(**WIDE, **RELATIVE, pad_token_id=0)),
}
PACKED = ("bert", "xlm-roberta", "distilbert")
ROTARY = ("modernbert", "modernbert, biases", "eurobert", "eurobert, scaled")


def built(name: str) -> nn.Module:
    torch.manual_seed(0)
    return MODELS[name]().eval()


def batch(pad: int, lengths: list[int], seed: int = 0) -> tuple[Tensor, Tensor]:
    chance = torch.Generator().manual_seed(seed)
    mask = (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()
    ids = torch.randint(5, 90, mask.shape, generator=chance)
    return torch.where(mask > 0, ids, pad), mask


def gradients(model: nn.Module, loss: Tensor) -> dict[str, Tensor]:
    model.zero_grad()
    loss.backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("layer", [-1, -2, 0, 1])
@pytest.mark.parametrize("some", [False, True], ids=["all", "wanted"])
def test_packed_equals_padded_forward_and_backward(name: str, layer: int, some: bool) -> None:
    model = built(name)
    assert (net_of(model) is not None) == (name in PACKED)
    assert (rotary_net_of(model) is not None) == (name in ROTARY)
    ids, mask = batch(model.config.pad_token_id, [3, 40, 7, 33, 1, 18, 40])
    chance = torch.Generator().manual_seed(1)
    shown = (torch.rand(ids.shape, generator=chance) < 0.4) & (mask > 0) if some else mask > 0
    weights = torch.randn(*ids.shape, 32, generator=chance) * shown[..., None]

    padded = model(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states[layer]
    packed = hidden_states(model, ids, mask, layer, shown if some else None)
    assert (padded - packed)[shown].abs().max() < 1e-5
    plain = gradients(model, (padded * weights).sum())
    fast = gradients(model, (packed * weights).sum())
    for key, gradient in plain.items():
        found = fast.get(key, torch.zeros_like(gradient))
        assert torch.allclose(found, gradient, rtol=1e-5, atol=1e-5 * float(1 + gradient.abs().max())), key


def test_a_decoder_and_an_adapted_encoder_go_the_ordinary_way(encoder: Encoder) -> None:
    assert net_of(BertModel(BertConfig(**WIDE, is_decoder=True))) is None
    adapted = encoder.copy()
    Realigner(adapted, store(encoder, SENTENCE), replace(SENTENCE, lora=LoRA()), 1, 0)
    assert net_of(adapted) is None
    assert net_of(encoder.copy()) is not None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 90), min_size=1, max_size=20))
def test_every_token_has_its_own_slot_and_sees_its_sentence_alone(lengths: list[int]) -> None:
    mask = (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()
    laid = Layout.of(mask)
    slot = laid.slot(laid.width)
    assert len(set(slot.tolist())) == sum(lengths)
    assert slot.max() < laid.rows * laid.width
    borders = laid.borders(laid.rows, laid.width)
    assert borders is not None or laid.rows == len(lengths)
    sees = torch.zeros(laid.rows, 1, laid.width, laid.width) if borders is None else borders
    for token in range(len(slot)):
        mates = np.flatnonzero(laid.sentence == laid.sentence[token])
        seen = np.flatnonzero(sees[laid.row[token], 0, laid.column[token]].numpy() == 0)
        assert set(laid.column[mates].tolist()) == set(seen.tolist())


# The rows of the embeddings that a run uses


@pytest.fixture(scope="module")
def encoder(world: World, tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    texts = {code: world.texts(code) for code in ("eng", "deu", "fin")}
    return load(str(pretrain(texts, TINY, 0, tmp_path_factory.mktemp("models") / "tiny")))


def store(encoder: Encoder, how: Realignment, *codes: str) -> dict[str, Any]:
    pairs = PairStore(encoder, World(0, SIZES), how)
    return {code: pairs.of(code) for code in codes or ("deu", "fin")}


def test_training_the_rows_in_use_is_training_all(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = store(encoder, WORD)
    found = []
    for rows in (narrow, lambda *_: lambda: None):
        monkeypatch.setattr("realign.training.realigner.narrow", rows)
        model = encoder.copy()
        realigner = Realigner(model, pairs, WORD, 5, 0)
        assert (type(model.get_input_embeddings()) is UsedRows) == (rows is narrow)
        for _ in range(5):
            realigner.step()
        realigner.finish()
        found.append(model)
    whole = encoder.model.get_input_embeddings().weight
    ours = found[0].get_input_embeddings().weight
    used = np.unique(np.concatenate(vocabularies(pairs)))
    never = np.setdiff1d(np.arange(len(whole)), used)
    assert len(never) > 100
    assert torch.equal(ours[never], whole[never])
    assert not torch.equal(ours[used], whole[used])
    for (name, a), (_, b) in zip(found[0].named_parameters(), found[1].named_parameters(), strict=True):
        assert torch.allclose(a, b, atol=2e-5), name  # the norm of the gradient is summed in another order


def test_narrow_reads_any_word_where_nothing_is_trained_and_no_unknown_one_where_it_is(encoder: Encoder) -> None:
    model = encoder.copy()
    whole = model.get_input_embeddings()
    before = whole.weight.detach().clone()
    widen = narrow(model, [np.array([5, 9]), np.array([7])])
    rows = model.get_input_embeddings()
    with torch.no_grad():
        rows.weight.add_(1.0)
        assert torch.equal(rows(torch.tensor([9, 11])), before[[9, 11]] + torch.tensor([[1.0], [0.0]]))
    with pytest.raises(IndexError):
        rows(torch.tensor([11]))
    widen()
    assert model.get_input_embeddings() is whole
    assert torch.equal(whole.weight[[5, 7, 9]], before[[5, 7, 9]] + 1)


def test_one_buffer_steps_as_many_parameters_do() -> None:
    def layers() -> nn.Sequential:
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(4, 5), nn.Linear(5, 3))

    one, many_ = layers(), layers()
    descent = Descent(list(one[0].parameters()), list(one[1].parameters()), 0.1)
    plain = torch.optim.AdamW(many_.parameters(), lr=0.1, weight_decay=0.0)
    for seed in range(5):
        x = torch.randn(6, 4, generator=torch.Generator().manual_seed(seed)) * 9
        (one(x) ** 2).sum().backward()
        descent.step(0.5)
        (many_(x) ** 2).sum().backward()
        nn.utils.clip_grad_norm_(many_.parameters(), 1.0)
        plain.param_groups[0]["lr"] = 0.05
        plain.step()
        plain.zero_grad()
    descent.finish()
    for a, b in zip(one.parameters(), many_.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-6)
        assert a.grad is None
        assert a.untyped_storage().nbytes() == a.nbytes


def test_two_descents_on_the_same_weights_share_their_buffer() -> None:
    layer = nn.Linear(3, 2)
    first, again = end_to_end(list(layer.parameters())), end_to_end(list(layer.parameters()))
    assert len(first) == len(again) == 1
    assert first[0].data_ptr() == again[0].data_ptr()
    assert first[0].grad.data_ptr() == again[0].grad.data_ptr()
    assert end_to_end([layer.bias]) == [layer.bias]  # a part stays by itself


# Many


@pytest.mark.parametrize(
    "how",
    [
        WORD,
        replace(WORD, pooling="first", negatives="cross"),
        SENTENCE,
        replace(SENTENCE, projection=False, layer=-2),
        replace(SENTENCE, freeze="lower", schedule="linear", warmup=0.5),
        replace(SENTENCE, pooling="reference-prefix", negatives="cross", order="during"),
    ],
)
def test_side_by_side_equals_each_alone(world: World, encoder: Encoder, how: Realignment) -> None:
    task = Tagging(encoder, world, "eng", FineTuning(batch=8))
    targets = ("deu", "fin", "tur")
    evaluator = RealignAndTransfer(encoder, world, task, targets, "dev", how)
    wanted = [(("deu", "fin"), 0), (("tur",), 1), (("deu", "hin", "fin"), 1)]
    runs = [CandidateRun(store(encoder, how, *codes), seed) for codes, seed in wanted]
    assert side_by_side.can_stack(encoder.copy(), how)
    assert all(side_by_side.can_stack_run(run, how, 6) for run in runs)
    assert side_by_side.room(encoder.model, how) >= 1

    for run, (codes, seed), (model, head) in zip(
        runs, wanted, side_by_side.train(encoder.copy(), runs, how, task, FIDELITY), strict=True
    ):
        alone = encoder.copy()
        own = evaluator._train(alone, run.pairs, FIDELITY, seed)
        with torch.no_grad():
            ids, mask = batch(0, [9, 12, 4], seed)
            assert torch.allclose(
                head(hidden_states(model, ids, mask))[mask > 0],
                own(hidden_states(alone, ids, mask))[mask > 0],
                atol=1e-4,
            )
        tallies = task.evaluate(model, head, targets, "dev", 10)
        score = evaluator(Subset.of(map(parse, codes)), FIDELITY, seed)
        for code in targets:
            assert tallies[code].value == pytest.approx(score.per_language[code], abs=0.03)


def test_steps_of_one_encoder_equal_the_realigner(world: World, encoder: Encoder) -> None:
    pairs = store(encoder, SENTENCE, "deu", "fin")
    plain, stacked = encoder.copy(), encoder.copy()
    realigner = Realigner(plain, pairs, SENTENCE, 6, 0)
    for _ in range(6):
        realigner.step()
    realigner.finish()
    widen = narrow(stacked, vocabularies(pairs))
    weights = StackedWeights(stacked.train(), None)
    steps = RealignSteps(weights, [CandidateRun(pairs, 0)], SENTENCE, 6)
    steps.take(6)
    steps.finish()
    weights.write(stacked, 0)
    widen()
    found = dict(stacked.named_parameters())
    for name, weight in plain.named_parameters():
        assert torch.allclose(found[name], weight, atol=2e-5), name


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(1, 60), min_size=1, max_size=9), min_size=1, max_size=4))
def test_batches_laid_out_keep_every_token_once_and_apart(lengths: list[list[int]]) -> None:
    batches, first = [], 1
    for each in lengths:
        mask = (torch.arange(max(each)) < torch.tensor(each)[:, None]).long()
        ids = torch.arange(first, first + mask.numel()).view(mask.shape)
        batches.append((ids, mask, torch.where(mask > 0, ids, NONE)))
        first += mask.numel()
    laid = lay_out(batches, [np.zeros((3, 1), dtype=np.int32)] * len(batches))
    assert laid.borders[-1] == laid.tokens[0].size
    assert (np.diff(laid.borders) <= laid.longest).all()
    sizes = np.diff(laid.borders)
    for lane, (ids, mask, _) in enumerate(batches):
        real = ids[mask > 0].numpy()
        assert (laid.tokens[2, lane][: len(real)] == real).all()
        assert (laid.tokens[0, lane][: len(real)] == real).all()
        assert (laid.tokens[2, lane][len(real) :] == NONE).all()
        start = int(np.flatnonzero(laid.borders == lane * laid.tokens.shape[2])[-1])
        assert sizes[start : start + len(mask)].tolist() == mask.sum(1).tolist()


def test_side_by_side_is_refused_where_it_would_not_be_equal(encoder: Encoder) -> None:
    assert not side_by_side.can_stack(encoder.copy(), replace(WORD, anchor=1.0))
    assert not side_by_side.can_stack(built("modernbert"), WORD)
    assert not side_by_side.can_stack(built("bert"), WORD)  # dropout
    assert not side_by_side.can_stack_run(CandidateRun({}, 0), WORD, 3)


# One training, looked at twice


def test_another_look_trains_nothing_and_equals_its_own_evaluation(
    world: World, encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, subset = Tagging(encoder, world, "eng", FineTuning(batch=8)), Subset.of([parse("fin")])
    test, dev = (RealignAndTransfer(encoder, world, task, ("deu", "fin"), split, WORD) for split in ("test", "dev"))
    expected = dev(subset, FIDELITY, 3)
    kept = Cached(test.on(("deu", "fin"), "dev"), tmp_path)
    assert kept.signature(subset, FIDELITY, 3) == expected.signature
    trainings: list[object] = []
    train_one = RealignAndTransfer._train

    def counted(self: RealignAndTransfer, *of: Any) -> nn.Module | None:
        trainings.append(of)
        return train_one(self, *of)

    monkeypatch.setattr(RealignAndTransfer, "_train", counted)
    both = WithSecondScore(test, kept, subset)
    assert both(subset, FIDELITY, 3).signature == test.signature(subset, FIDELITY, 3)
    known = kept.cached_score(subset, FIDELITY, 3)
    assert known is not None
    assert known.per_language == expected.per_language
    assert len(trainings) == 1
    both(Subset.of([parse("deu")]), FIDELITY, 3)
    assert kept.cached_score(Subset.of([parse("deu")]), FIDELITY, 3) is None
    assert len(trainings) == 2
