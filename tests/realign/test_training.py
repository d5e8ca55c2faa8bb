"""The realignment loop: its options, gradient caching, checkpoints; parity with torch and transformers."""

import hashlib
import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from realign.encoder.encoder import Encoder, load, transformer_blocks
from realign.encoder.ragged import first_subwords
from realign.realign_and_transfer import RealignAndTransfer
from realign.score import Fidelity
from realign.tasks.tagging import Tagging
from realign.tasks.transfer_task import FineTuning
from realign.training import checkpoint
from realign.training.adapters import trainable_parameters
from realign.training.encoded_pairs import EncodedPairs, PairStore
from realign.training.optimizer import Anchor, fork_random_state, rate
from realign.training.pretraining import Shape, pretrain
from realign.training.realigner import Realigner, realign
from realign.training.settings import LoRA, Realignment
from realign.world.world import Sizes, World
from selector.errors import InputError, RunError
from selector.languages.language import parse
from selector.languages.subset import Subset

SIZES = Sizes(parallel=40, source=160, evaluation=40, text=120, source_text=200, low_text=40)
TINY = Shape(vocabulary=800, layers=3, width=32, heads=2, steps=30, batch=32, length=32)
WORD = Realignment(loss="word", aligner="gold", batch=8)
Pairs = dict[str, EncodedPairs]


@pytest.fixture(scope="module")
def encoder(world: World, tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    texts = {code: world.texts(code) for code in ("eng", "deu", "fin")}
    return load(str(pretrain(texts, TINY, 0, tmp_path_factory.mktemp("models") / "tiny")))


@pytest.fixture(scope="module")
def pairs(world: World, encoder: Encoder) -> Pairs:
    store = PairStore(encoder, world, WORD)
    return {code: store.of(code) for code in ("deu", "fin")}


def digest(model: nn.Module) -> str:
    whole = hashlib.sha256()
    for name, weight in sorted(model.state_dict().items()):
        whole.update(name.encode() + weight.numpy().tobytes())
    return whole.hexdigest()


def realigned(encoder: Encoder, pairs: Pairs, how: Realignment, steps: int = 4) -> nn.Module:
    model = encoder.copy()
    realign(model, pairs, how, steps, 0)
    return model


def with_dropout(encoder: Encoder) -> nn.Module:
    model = encoder.copy()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.2
    return model


# Options


@pytest.mark.parametrize(
    "how",
    [
        Realignment(batch=8, negatives="cross"),
        Realignment(batch=8, projection=False),
        Realignment(batch=8, pooling="reference-prefix"),
        Realignment(batch=8, layer=-2),
        Realignment(batch=8, schedule="linear", warmup=0.5),
        Realignment(batch=8, anchor=1.0),
        Realignment(batch=8, precision="bf16"),
        Realignment(batch=8, freeze=(1,)),
        Realignment(batch=8, lora=LoRA()),
        Realignment(loss="word", aligner="gold", batch=8, pooling="first"),
    ],
    ids=lambda how: json.dumps({k: v for k, v in vars(how).items() if v != vars(Realignment())[k]}, default=vars),
)
def test_every_option_changes_the_weights_and_can_be_repeated(encoder: Encoder, pairs: Pairs, how: Realignment) -> None:
    plain = realigned(encoder, pairs, WORD if how.loss == "word" else Realignment(batch=8))
    once = realigned(encoder, pairs, how)
    assert digest(once) not in (digest(plain), digest(encoder.model))
    assert digest(once) == digest(realigned(encoder, pairs, how))
    assert all(parameter.requires_grad for parameter in once.parameters())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"loss": "word"}, "needs an aligner"),
        ({"pooling": "first"}, "is for the word loss"),
        ({"loss": "word", "aligner": "gold", "pooling": "reference-prefix"}, "is for the sentence loss"),
        ({"lora": LoRA(), "freeze": "lower"}, "nothing to freeze"),
        ({"lora": LoRA(), "order": "during"}, "take turns"),
        ({"lora": LoRA(), "anchor": 0.1}, "anchor"),
        ({"freeze": ()}, "names no block"),
    ],
)
def test_settings_that_exclude_each_other_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Realignment(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("how", "message"),
    [
        (Realignment(layer=4), "no layer 4"),
        (Realignment(layer=-5), "no layer -5"),
        (Realignment(freeze="lower", layer=1), "nothing to train below layer 1"),
        (Realignment(freeze=(0, 3)), "no block 3"),
    ],
)
def test_settings_that_do_not_fit_the_encoder_are_refused(
    encoder: Encoder, pairs: Pairs, how: Realignment, message: str
) -> None:
    model = encoder.copy()
    with pytest.raises(InputError, match=message):
        realign(model, pairs, how, 2, 0)
    assert digest(model) == digest(encoder.model)


@pytest.mark.parametrize(
    ("freeze", "moved"),
    [("none", [1, 1, 1, 1]), ("lower", [0, 0, 1, 1]), ("upper", [1, 1, 0, 0]), ((0, 2), [1, 0, 1, 0])],
)
def test_freezing_holds_exactly_what_it_names(encoder: Encoder, pairs: Pairs, freeze, moved: list[int]) -> None:  # type: ignore[no-untyped-def]
    model = realigned(encoder, pairs, Realignment(batch=8, freeze=freeze))
    parts = [[part.embeddings, *transformer_blocks(part)] for part in (encoder.model, model)]
    changed = [
        any(not torch.equal(a, b) for a, b in zip(old.parameters(), new.parameters(), strict=True))
        for old, new in zip(*parts, strict=True)
    ]
    assert changed == [bool(one) for one in moved]


def test_lower_and_upper_share_the_weights_between_them(encoder: Encoder) -> None:
    model = encoder.copy()
    lower, upper = ({id(p) for p in trainable_parameters(model, mode)} for mode in ("upper", "lower"))
    assert not lower & upper
    assert lower | upper == {id(p) for p in model.parameters()}


def test_lora_leaves_a_plain_encoder_and_a_low_rank_change(encoder: Encoder, pairs: Pairs) -> None:
    model = realigned(encoder, pairs, Realignment(batch=8, lora=LoRA(rank=2, alpha=4.0)))
    start = dict(encoder.model.state_dict())
    assert model.state_dict().keys() == start.keys()
    assert torch.equal(model.embeddings.word_embeddings.weight, encoder.model.embeddings.word_embeddings.weight)
    name = "encoder.layer.0.attention.self.query.weight"
    change = torch.linalg.svdvals(model.state_dict()[name] - start[name])
    assert change[1] > 1e-6
    assert change[2] < 1e-4 * change[0]


def test_the_anchor_is_the_gradient_of_its_penalty(encoder: Encoder, pairs: Pairs) -> None:
    weight = nn.Parameter(torch.tensor([1.0, -2.0]))
    anchor = Anchor([weight], 0.5)
    with torch.no_grad():
        weight += torch.tensor([3.0, 1.0])
    weight.grad = torch.tensor([1.0, 1.0])
    anchor.pull()
    assert weight.grad.tolist() == [1 + 0.5 * 3, 1 + 0.5 * 1]

    def moved(strength: float) -> float:
        model = realigned(encoder, pairs, Realignment(batch=8, anchor=strength), 12)
        both = zip(model.parameters(), encoder.model.parameters(), strict=True)
        return sum(float((a - b).detach().square().sum()) for a, b in both)

    assert moved(10.0) < 0.7 * moved(0.0)


# Gradients, chance, schedule


class Narrow(nn.Module):
    """An encoder on a device that has room for `room` sentences."""

    def __init__(self, inner: nn.Module, room: int) -> None:
        super().__init__()
        self.inner, self.room, self.config = inner, room, inner.config
        self.refused = 0

    def get_input_embeddings(self) -> nn.Module:
        return self.inner.get_input_embeddings()

    def set_input_embeddings(self, embeddings: nn.Module) -> None:
        self.inner.set_input_embeddings(embeddings)

    def forward(self, input_ids: torch.Tensor, **rest: object) -> object:
        if len(input_ids) > self.room:
            self.refused += 1
            raise torch.OutOfMemoryError("no room")
        return self.inner(input_ids=input_ids, **rest)


@pytest.mark.parametrize("room", [8, 5, 1])
@pytest.mark.parametrize("how", [Realignment(batch=8), WORD], ids=["sentence", "word"])
def test_gradients_in_pieces_equal_those_at_once(encoder: Encoder, pairs: Pairs, how: Realignment, room: int) -> None:
    def gradient(model: nn.Module) -> tuple[Realigner, float, torch.Tensor]:
        realigner = Realigner(model, pairs, how, 3, 0)
        loss = realigner._gradients(realigner._plan.batch(0))
        every = [*model.parameters(), *realigner.head.parameters()]
        return realigner, loss.item(), torch.cat([p.grad.flatten() for p in every if p.grad is not None])

    _, loss, whole = gradient(encoder.copy())
    narrow = Narrow(encoder.copy(), room)
    realigner, again, pieced = gradient(narrow)
    assert narrow.refused
    assert realigner.micro <= room
    assert again == pytest.approx(loss, abs=1e-6)
    assert torch.allclose(pieced, whole, rtol=1e-4, atol=1e-6 * float(whole.abs().max()))
    refused = narrow.refused
    realigner.step()
    assert narrow.refused == refused, "what did not fit once is tried again"


def test_a_sentence_without_room_is_a_clear_failure(encoder: Encoder, pairs: Pairs) -> None:
    realigner = Realigner(Narrow(encoder.copy(), 1), pairs, Realignment(batch=8), 2, 0)
    realigner.model.room = 0
    with pytest.raises(RunError, match="no room on cpu for one sentence at step 1"):
        realigner.step()


def test_dropout_hangs_on_the_seed_and_not_on_the_state_outside(encoder: Encoder, pairs: Pairs) -> None:
    made = []
    for outside, seed in ((1, 0), (2, 0), (2, 1)):
        model = with_dropout(encoder)
        torch.manual_seed(outside)
        before = torch.get_rng_state()
        realign(model, pairs, Realignment(batch=8), 3, seed)
        assert torch.equal(torch.get_rng_state(), before)
        made.append(digest(model))
    assert made[0] == made[1] != made[2]


def test_in_pieces_both_passes_draw_the_same_dropout(encoder: Encoder, pairs: Pairs) -> None:
    realigner = Realigner(with_dropout(encoder).train(), pairs, Realignment(batch=8), 3, 0)
    (_, piece), *_ = realigner._plan.batch(0).pieces(4)
    assert torch.equal(realigner._vectors(piece, 0), realigner._vectors(piece, 0))
    assert not torch.equal(realigner._vectors(piece, 0), realigner._vectors(piece, 1))
    with fork_random_state(torch.device("cpu"), 1, 2):
        first = torch.rand(1)
    with fork_random_state(torch.device("cpu"), 2, 1):
        assert torch.rand(1) != first


@pytest.mark.parametrize("peak", [0, 1, 5, 20])
def test_schedules_equal_torch(peak: int) -> None:
    steps = 20
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedules = torch.optim.lr_scheduler
    rise = schedules.LinearLR(optimizer, 1 / max(1, peak), 1.0, max(1, peak - 1))
    fall = schedules.LinearLR(optimizer, 1.0, 0.0, max(1, steps - peak))
    whole = schedules.SequentialLR(optimizer, [rise, fall], [peak]) if peak else fall
    for step in range(steps):
        assert rate("linear", step, steps, peak) == pytest.approx(optimizer.param_groups[0]["lr"])
        assert rate("constant", step, steps, peak) == pytest.approx(min(1, (step + 1) / max(1, peak)))
        optimizer.step()
        whole.step()


def test_the_loop_equals_a_plain_one_with_torchs_own_optimizer(encoder: Encoder, pairs: Pairs) -> None:
    how, steps = Realignment(batch=8, schedule="linear", warmup=0.5, lr=1e-3), 6
    model = encoder.copy()
    realigner = Realigner(model, pairs, how, steps, 0)
    for _ in range(steps):
        realigner.step()

    plain = encoder.copy().train()
    other = Realigner(plain, pairs, how, steps, 0)  # only its batches and its head are used
    every = [*plain.parameters(), *other.head.parameters()]
    optimizer = torch.optim.AdamW(every, lr=1e-3, weight_decay=0.0, foreach=False)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: (s + 1) / 3 if s < 3 else (6 - s) / 3)
    for step in range(steps):
        batch = other._plan.batch(step)
        states = plain(input_ids=batch.ids, attention_mask=batch.mask).last_hidden_state
        means = torch.stack([row[word >= 0].mean(0) for row, word in zip(states, batch.word, strict=True)])
        z = nn.functional.normalize(other.head(means), dim=1)
        similarity = (z @ z.T / how.temperature).fill_diagonal_(float("-inf"))
        partner = torch.arange(16).roll(8)
        loss = -similarity.log_softmax(1)[torch.arange(16), partner].mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(every, 1.0)
        optimizer.step()
        schedule.step()
    for mine, theirs in zip(model.parameters(), plain.parameters(), strict=True):
        assert torch.allclose(mine, theirs, atol=2e-5)


# Counters, turns, checkpoints


def test_progress_counts_steps_and_pairs(encoder: Encoder, pairs: Pairs) -> None:
    heard: list[tuple[str, int, int]] = []
    realign(encoder.copy(), pairs, WORD, 3, 0, lambda *call: heard.append(call))
    assert heard == [("realigning", 1, 3), ("realigning", 2, 3), ("realigning", 3, 3)]
    realigner = Realigner(encoder.copy(), pairs, WORD, 3, 0)
    realigner.step()
    assert realigner.pairs_seen == 8


@pytest.mark.parametrize(("ours", "theirs"), [(6, 6), (3, 7), (9, 4)])
def test_steps_are_spread_evenly_beside_another_training(
    encoder: Encoder, pairs: Pairs, ours: int, theirs: int
) -> None:
    realigner = Realigner(encoder.copy(), pairs, Realignment(batch=2), ours, 0)
    follow, taken = realigner.beside(theirs), []
    for step in range(theirs):
        follow(step)
        taken.append(realigner.position)
    assert taken[-1] == ours
    assert all(abs(position - (step + 1) * ours / theirs) < 1 for step, position in enumerate(taken))


def test_in_turns_is_another_training_and_leaves_nothing_frozen(world: World, encoder: Encoder) -> None:
    task = Tagging(encoder, world, "eng", FineTuning(batch=32))
    subset, size = Subset.of([parse("deu")]), Fidelity(pairs=32, steps=8, examples=20)

    def tallies(**settings: object) -> object:
        how = Realignment(batch=8, **settings)  # type: ignore[arg-type]
        return RealignAndTransfer(encoder, world, task, ("deu",), "dev", how)(subset, size, 0).tallies

    during = tallies(order="during", freeze="lower")
    assert during == tallies(order="during", freeze="lower")
    assert during != tallies(order="before", freeze="lower")
    assert RealignAndTransfer(encoder, world, task, ("deu",), "dev", Realignment(order="during"))(Subset(), size, 0)


@pytest.mark.parametrize(
    "how",
    [
        Realignment(loss="word", aligner="gold", batch=4, schedule="linear", warmup=0.2, anchor=0.1),
        Realignment(batch=4, lora=LoRA(rank=2)),
        Realignment(batch=4, freeze="lower", projection=False),
    ],
    ids=["word", "lora", "frozen"],
)
def test_a_run_killed_at_three_moments_ends_in_the_same_weights(
    encoder: Encoder, pairs: Pairs, tmp_path: Path, how: Realignment
) -> None:
    steps, file = 20, tmp_path / "run" / "state.safetensors"
    whole = with_dropout(encoder)
    realign(whole, pairs, how, steps, 0)

    class Killed(Exception):  # noqa: N818
        pass

    def fresh() -> Realigner:
        return Realigner(with_dropout(encoder), pairs, how, steps, 0)

    for moment in sorted(np.random.default_rng(7).choice(np.arange(2, steps), 3, replace=False)):

        def kill(_: str, done: int, __: int, moment: int = int(moment)) -> None:
            if done == moment:
                raise Killed

        with pytest.raises(Killed):
            checkpoint.finish_training(fresh(), file, "run", every=0, advance=kill)
    last = fresh()
    checkpoint.finish_training(last, file, "run")
    assert digest(last.model) == digest(whole)


def test_a_checkpoint_of_another_run_or_a_damaged_one_is_refused(
    encoder: Encoder, pairs: Pairs, tmp_path: Path
) -> None:
    file = tmp_path / "state.safetensors"
    realigner = Realigner(encoder.copy(), pairs, WORD, 4, 0)
    realigner.step()
    realigner.micro = 3
    checkpoint.save(file, realigner, "a")
    again = Realigner(encoder.copy(), pairs, WORD, 4, 0)
    checkpoint.load(file, again, "a")
    assert (again.position, again.micro) == (1, 3)
    with pytest.raises(InputError, match="another run"):
        checkpoint.load(file, again, "b")
    content = file.read_bytes()
    for broken in (content[: len(content) // 2], content[:4], b""):
        file.write_bytes(broken)
        with pytest.raises(InputError, match="cannot be read"):
            checkpoint.load(file, again, "a")
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_a_checkpoint_that_cannot_be_written_is_a_clear_failure(encoder: Encoder, pairs: Pairs, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file where the folder should be", encoding="utf-8")
    realigner = Realigner(encoder.copy(), pairs, WORD, 4, 0)
    with pytest.raises(RunError, match="cannot write the checkpoint"):
        checkpoint.save(tmp_path / "taken" / "state.safetensors", realigner, "a")


# Parity with transformers


@pytest.mark.slow
def test_fine_tuning_reaches_what_a_plain_trainer_reaches(world: World, encoder: Encoder, tmp_path: Path) -> None:
    """Same encoder, data, steps and learning rate; other batches; the Trainer starts with a random head.

    The two agree once training is long enough: our start costs the first steps (at 60 steps 0.73 against 0.96).
    """
    steps, seeds = 150, (0, 1, 2)
    task = Tagging(encoder, world, "eng", FineTuning(batch=16, lr=2e-3))
    ours = []
    for seed in seeds:
        model = encoder.copy()
        head = task.finetune(model, steps, seed)
        ours.append(task.evaluate(model, head, ("eng",), "dev")["eng"].value)
    theirs = [_trainer_accuracy(world, encoder, task.tags, steps, seed, tmp_path) for seed in seeds]
    noise = max(np.std(ours, ddof=1), np.std(theirs, ddof=1))
    assert min(*ours, *theirs) > 0.8
    assert abs(np.mean(ours) - np.mean(theirs)) < 3 * noise + 0.01


def _trainer_accuracy(
    world: World, encoder: Encoder, tags: tuple[str, ...], steps: int, seed: int, folder: Path
) -> float:
    from transformers import BertForTokenClassification, DataCollatorForTokenClassification, Trainer, TrainingArguments

    torch.manual_seed(seed)
    model = BertForTokenClassification(encoder.model.config)
    model.num_labels, model.classifier = len(tags), nn.Linear(TINY.width, len(tags))
    model.bert.load_state_dict(encoder.model.state_dict(), strict=False)

    def rows(split: str) -> list[dict[str, list[int]]]:
        made = []
        for sentence in world.sentences("eng", split):  # type: ignore[arg-type]
            fast = encoder.tokenizer([list(sentence.words)], is_split_into_words=True)
            word = torch.tensor([[-1 if owner is None else owner for owner in fast.word_ids(0)]])
            gold = [tags.index(tag) for tag in sentence.tags]
            shown = zip(word[0].tolist(), first_subwords(word)[0].tolist(), strict=True)
            made.append(
                {"input_ids": fast["input_ids"][0], "labels": [gold[w] if first else -100 for w, first in shown]}
            )
        return made

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        arguments = TrainingArguments(
            output_dir=str(folder), max_steps=steps, per_device_train_batch_size=16, learning_rate=2e-3,
            warmup_steps=steps // 10, weight_decay=0.0, max_grad_norm=1.0, lr_scheduler_type="linear", seed=seed,
            report_to=[], save_strategy="no", use_cpu=True, disable_tqdm=True, logging_strategy="no",
        )  # fmt: skip
        trainer = Trainer(model, arguments, DataCollatorForTokenClassification(encoder.tokenizer), rows("train"))
        trainer.train()
        answer = trainer.predict(rows("dev"))
    seen = answer.label_ids >= 0
    return float((answer.predictions.argmax(-1)[seen] == answer.label_ids[seen]).mean())
