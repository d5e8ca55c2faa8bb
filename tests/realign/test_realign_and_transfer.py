"""The core on a small world: tables, realignment, tagging, the evaluator; deterministic, and does what it says."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch

from realign.encoder.encoder import Encoder, hidden_states, load, transformer_blocks
from realign.encoder.ragged import RaggedTable, first_subwords
from realign.evaluators.wrappers import Cached
from realign.realign_and_transfer import RealignAndTransfer
from realign.score import Fidelity, Stopped
from realign.tasks.tagging import Tagging
from realign.tasks.transfer_task import FineTuning
from realign.training.batches import draw_examples
from realign.training.encoded_pairs import PairStore
from realign.training.pretraining import Shape, pretrain
from realign.training.realigner import realign
from realign.training.settings import Realignment
from realign.world.world import Sizes, World
from selector.errors import InputError, RunError
from selector.languages.language import parse
from selector.languages.subset import Subset

SIZES = Sizes(parallel=80, source=160, evaluation=24, text=120, source_text=200, low_text=40)
TINY = Shape(vocabulary=1500, layers=2, width=32, heads=2, steps=30, batch=32, length=32)
SMALL = Fidelity(pairs=64, steps=12, examples=16)


@pytest.fixture(scope="module")
def folder(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    texts = {code: world.texts(code) for code in ("eng", "deu", "fin", "tam", "swh")}
    return pretrain(texts, TINY, 0, tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def encoder(folder: Path) -> Encoder:
    return load(str(folder))


def evaluator(world: World, encoder: Encoder, how: Realignment | None = None) -> RealignAndTransfer:
    task = Tagging(encoder, world, "eng", FineTuning(batch=32))
    return RealignAndTransfer(encoder, world, task, ("deu", "fin"), "dev", how or Realignment())


def subset(*codes: str) -> Subset:
    return Subset.of(parse(code) for code in codes)


def test_pretraining_is_deterministic_and_loadable_by_auto_model(world: World, folder: Path, tmp_path: Path) -> None:
    from transformers import AutoModel, AutoTokenizer

    texts = {code: world.texts(code) for code in ("eng", "deu", "fin", "tam", "swh")}
    again = pretrain(texts, TINY, 0, tmp_path / "again")
    for name in ("model.safetensors", "tokenizer.json"):
        assert (again / name).read_bytes() == (folder / name).read_bytes()
    model, tokenizer = AutoModel.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    assert model(**tokenizer("sifisi mekife", return_tensors="pt")).last_hidden_state.shape[-1] == TINY.width
    assert not list(folder.parent.glob(".*")), "the workshop folder is left behind"
    assert load(str(again)).signature == load(str(folder)).signature


def test_affixes_are_cut_into_sub_words(world: World, encoder: Encoder) -> None:
    table = encoder.encode([s.words for s in world.sentences("fin", "dev")], 64)
    words = table.take(np.arange(len(table)))[2]
    assert (words >= 0).sum() > (words.max(1).values + 1).sum()


def test_same_seed_same_score_bit_for_bit(world: World, encoder: Encoder) -> None:
    first = evaluator(world, encoder)(subset("fin", "tam"), SMALL, 5)
    again = evaluator(world, load_again(encoder))(subset("tam", "fin"), SMALL, 5)
    assert first == again
    assert first.tallies == again.tallies
    other = evaluator(world, encoder)(subset("fin", "tam"), SMALL, 6)
    assert other.tallies != first.tallies
    assert other.signature != first.signature


@pytest.mark.parametrize("order", ["before", "during"])
def test_a_look_in_the_middle_changes_no_score(
    world: World, encoder: Encoder, order: Literal["before", "during"]
) -> None:
    asked = replace(SMALL, steps=12, examples=20)
    score = evaluator(world, encoder, Realignment(order=order))
    blind = score(subset("fin"), asked, 5)
    seen: list[float] = []

    def look(scores: Mapping[str, float]) -> bool:
        assert scores.keys() == {"deu", "fin"}
        seen.append(sum(scores.values()) / 2)
        return len(seen) == 4

    looked = score(subset("fin"), asked, 5, look)
    assert looked == blind
    assert looked.tallies == blind.tallies
    assert looked.course is not None
    assert [sum(each.values()) / 2 for each in looked.course] == seen
    assert len(seen) == 2
    with pytest.raises(Stopped) as stopped:
        score(subset("fin"), asked, 5, look)
    assert stopped.value.score.value == seen[1] == seen[3]


def load_again(encoder: Encoder) -> Encoder:
    return replace(encoder, model=encoder.copy())


def test_evaluating_leaves_the_encoder_as_it_was(world: World, encoder: Encoder) -> None:
    before = {name: weight.clone() for name, weight in encoder.model.state_dict().items()}
    evaluator(world, encoder)(subset("fin"), SMALL, 0)
    assert all(torch.equal(weight, before[name]) for name, weight in encoder.model.state_dict().items())


def test_signature_sees_what_changes_a_score(world: World, encoder: Encoder) -> None:
    base = evaluator(world, encoder).signature(subset("fin"), SMALL, 0)
    others = [
        evaluator(world, encoder).signature(subset("tam"), SMALL, 0),
        evaluator(world, encoder).signature(subset("fin"), replace(SMALL, pairs=65), 0),
        evaluator(world, encoder).signature(subset("fin"), SMALL, 1),
        evaluator(world, encoder, Realignment(temperature=0.2)).signature(subset("fin"), SMALL, 0),
        evaluator(World(1, SIZES), encoder).signature(subset("fin"), SMALL, 0),
    ]
    assert len({base, *others}) == 6
    assert evaluator(world, encoder).signature(subset("fin"), SMALL, 0) == base


def test_tallies_agree_with_a_plain_loop_over_sentences(world: World, encoder: Encoder) -> None:
    task = Tagging(encoder, world, "eng", FineTuning(batch=32))
    model = encoder.copy()
    head = task.finetune(model, 20, 0)
    tally = task.evaluate(model, head, ["deu", "fin"], "dev")["fin"]
    model.eval()
    for sentence, correct, total in zip(world.sentences("fin", "dev"), tally.correct, tally.total, strict=True):
        fast = encoder.tokenizer([list(sentence.words)], is_split_into_words=True, return_tensors="pt")
        owners = fast.word_ids(0)
        with torch.inference_mode():
            best = head(hidden_states(model, fast["input_ids"], fast["attention_mask"])[0]).argmax(1).tolist()
        guesses = [task.tags[best[owners.index(word)]] for word in range(len(sentence.words))]
        assert correct == sum(guess == tag for guess, tag in zip(guesses, sentence.tags, strict=True))
        assert total == len(sentence.words)


def test_nothing_is_realigned_without_languages_or_steps(encoder: Encoder, world: World) -> None:
    store = PairStore(encoder, world, Realignment())
    for pairs, steps in (({}, 5), ({"fin": store.of("fin")}, 0)):
        model = encoder.copy()
        realign(model, pairs, Realignment(), steps, 0)
        assert all(torch.equal(a, b) for a, b in zip(model.parameters(), encoder.model.parameters(), strict=True))


def test_realigning_brings_translations_together(encoder: Encoder, world: World) -> None:
    store = PairStore(encoder, world, Realignment())

    def accuracy(model: torch.nn.Module) -> float:
        """How often a sentence's nearest neighbour among 40 is its translation."""
        sides = []
        for table in (store.of("fin").source, store.of("fin").target):
            ids, mask, word = table.take(np.arange(40))
            with torch.inference_mode():
                states = hidden_states(model, ids, mask) * (word >= 0)[..., None]
            sides.append(torch.nn.functional.normalize(states.sum(1), dim=1))
        return float(((sides[0] @ sides[1].T).argmax(1) == torch.arange(40)).float().mean())

    model = encoder.copy()
    realign(model, {"fin": store.of("fin")}, Realignment(), 60, 0)
    assert accuracy(model.eval()) > accuracy(encoder.model) + 0.2


@pytest.mark.parametrize("aligner", ["gold", "mutual"])
def test_word_loss_trains(world: World, encoder: Encoder, aligner: str) -> None:
    how = Realignment(loss="word", aligner=aligner)  # type: ignore[arg-type]
    score = evaluator(world, encoder, how)(subset("fin"), SMALL, 0)
    assert 0 < score.value < 1
    assert score.signature != evaluator(world, encoder)(subset("fin"), SMALL, 0).signature


@pytest.mark.parametrize(("mode", "moved"), [("lower", [False, True]), ("upper", [True, False])])
def test_freezing_holds_half_of_the_blocks(world: World, encoder: Encoder, mode: str, moved: list[bool]) -> None:
    how = Realignment(freeze=mode)  # type: ignore[arg-type]
    model = encoder.copy()
    realign(model, {"fin": PairStore(encoder, world, how).of("fin")}, how, 3, 0)
    changed = [
        any(not torch.equal(a, b) for a, b in zip(new.parameters(), old.parameters(), strict=True))
        for new, old in zip(transformer_blocks(model), transformer_blocks(encoder.model), strict=True)
    ]
    assert changed == moved
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_divergence_is_a_clear_failure(world: World, encoder: Encoder) -> None:
    model = encoder.copy()
    pairs = {"fin": PairStore(encoder, world, Realignment()).of("fin")}
    with torch.no_grad():
        next(iter(model.parameters())).fill_(float("nan"))
    with pytest.raises(RunError, match="realignment on fin diverged: its loss is nan at step 1"):
        realign(model, pairs, Realignment(), 2, 0)


def test_plan_shares_the_budget_evenly_and_walks_through_all_pairs() -> None:
    plan = draw_examples([10, 50, 4], 20, 6, np.random.default_rng(0))
    assert plan.shape == (20, 6, 2)
    counts = np.bincount(plan[..., 0].ravel(), minlength=3)
    assert counts.tolist() == [40, 40, 40]
    for language, size in enumerate([10, 50, 4]):
        used = plan[plan[..., 0] == language][:, 1]
        assert used.max() < size
        repeats = np.bincount(used, minlength=size)
        assert repeats.max() - repeats.min() <= 1


def test_tables_pad_take_and_mark_first_sub_words() -> None:
    table = RaggedTable.pack([[2, 7, 8, 9, 3], [2, 7, 3]], [[-1, 0, 0, 1, -1], [-1, 0, -1]], pad=0)
    ids, mask, word = table.take(np.array([1]))
    assert ids.tolist() == [[2, 7, 3]]
    assert mask.tolist() == [[1, 1, 1]]
    both_rows = table.take(np.array([0, 1]))[2]
    assert first_subwords(both_rows).int().tolist() == [[0, 1, 0, 1, 0], [0, 1, 0, 0, 0]]
    both = RaggedTable.stack([table, RaggedTable.pack([[2] * 7], [[-1] * 7], pad=0)], pad=0)
    assert both.take(np.arange(3))[0].shape == (3, 7)
    assert both.take(np.arange(2))[0].equal(table.take(np.arange(2))[0])
    assert word.tolist() == [[-1, 0, -1]]


def test_evaluation_batches_hold_every_sentence_once() -> None:
    rng = np.random.default_rng(0)
    rows = [[1] * int(size) for size in rng.integers(3, 9, 23)]
    table = RaggedTable.pack(rows, rows, pad=0)
    assert sorted(np.concatenate(list(table.chunks(5))).tolist()) == list(range(23))
    batches = list(table.batches_by_length(5, 9, rng))
    assert [len(batch) for batch in batches] == [5] * 9


def test_scores_come_back_from_the_cache_unchanged(world: World, encoder: Encoder, tmp_path: Path) -> None:
    plain = evaluator(world, encoder)
    first = Cached(plain, tmp_path)(subset("fin"), SMALL, 0)

    class Silent:
        signature = staticmethod(plain.signature)

        def __call__(self, *_: object) -> None:
            raise AssertionError("a score already known was computed again")

    again = Cached(Silent(), tmp_path)(subset("fin"), SMALL, 0)  # type: ignore[arg-type]
    assert again == first
    assert again.tallies == first.tallies


def test_broken_checkpoints_and_unknown_models_are_refused(folder: Path, tmp_path: Path) -> None:
    for base in (str(tmp_path), "no-such-org/no-such-model"):
        with pytest.raises(InputError, match="cannot load the encoder"):
            load(base)
    pickled = tmp_path / "pickled"
    pickled.mkdir()
    for file in folder.iterdir():
        if file.name != "model.safetensors":
            (pickled / file.name).write_bytes(file.read_bytes())
    torch.save(load(str(folder)).model.state_dict(), pickled / "pytorch_model.bin")
    with pytest.raises(InputError, match="cannot load the encoder"):
        load(str(pickled))
