"""The tasks: each agrees with a plain implementation, loses no word, and is transferred to without a label."""

import json
import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics import f1_score

from realign.build import evaluator as assemble
from realign.core import Task as TaskSettings
from realign.corpora.corpus import Classified, Pair, Split, Tagged
from realign.encoder.encoder import Encoder, hidden_states, load
from realign.encoder.windows import windows
from realign.realign_and_transfer import RealignAndTransfer
from realign.score import Fidelity, Score, Tally
from realign.tasks.classification import Classification, share_truncated
from realign.tasks.retrieval import Retrieval
from realign.tasks.tagging import Tagging, right_spans, right_words
from realign.tasks.transfer_task import FineTuning, TransferTask
from realign.training.pretraining import Shape, pretrain
from realign.training.settings import Realignment
from realign.world.world import Sizes, World
from search.cli.entry import exit_status
from search.config.schema import check
from search.config.study_config import load as load_study
from search.confirmation.row_scores import score_row
from search.effort.fidelities import Fidelities
from selector.errors import InputError
from selector.languages.language import parse
from selector.languages.subset import Subset

SIZES = Sizes(parallel=80, source=300, evaluation=24, text=150, source_text=300, low_text=40)
TINY = Shape(vocabulary=1500, layers=2, width=32, heads=2, steps=40, batch=32, length=32)
CODES = ("deu", "fin", "tam")


@pytest.fixture(scope="module")
def folder(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    texts = {code: world.texts(code) for code in ("eng", "deu", "fin", "tam", "swh")}
    return pretrain(texts, TINY, 0, tmp_path_factory.mktemp("models") / "encoder")


@pytest.fixture(scope="module")
def encoder(folder: Path) -> Encoder:
    return load(str(folder))


def plain_states(encoder: Encoder, model: torch.nn.Module, *sides: tuple[str, ...]) -> tuple[torch.Tensor, Any]:
    """States [t, d] of one sentence (or pair) by itself, and what the tokenizer says of it."""
    lists = [[list(side)] for side in sides]
    fast = encoder.tokenizer(*lists, is_split_into_words=True, return_tensors="pt")
    model.eval()
    with torch.no_grad():
        return hidden_states(model, fast["input_ids"], fast["attention_mask"])[0], fast


class OnePlace:
    """A corpus of one language and split: the same rows whatever is asked for."""

    signature = "test"

    def __init__(self, rows: list[Any]) -> None:
        self._rows = rows

    def sentences(self, language: str, split: Split) -> list[Tagged]:
        return self._rows

    def examples(self, language: str, split: Split) -> list[Classified]:
        return self._rows

    def pairs(self, language: str, split: Split) -> list[Pair]:
        return self._rows


# --- entities -------------------------------------------------------------------------------------------------------

TAGS = st.sampled_from(["O", "B-PER", "I-PER", "B-LOC", "I-LOC"])
SENTENCES = st.lists(st.lists(st.tuples(TAGS, TAGS), min_size=1, max_size=8), min_size=1, max_size=6)


@given(SENTENCES)
def test_span_f1_is_that_of_seqeval_whatever_is_tagged(sentences: list[list[tuple[str, str]]]) -> None:
    gold, said = ([[pair[side] for pair in words] for words in sentences] for side in (0, 1))
    counts = [right_spans(a, b) for a, b in zip(gold, said, strict=True)]
    tally = Tally(tuple(hit for hit, _ in counts), tuple(whole for _, whole in counts))
    assert tally.value == pytest.approx(f1_score(gold, said, zero_division=0))


def test_tagged_entities_agree_with_a_plain_loop_and_seqeval(world: World, encoder: Encoder) -> None:
    task = Tagging(encoder, world.entities, "eng", FineTuning(batch=32), right_spans)
    model = encoder.copy()
    head = task.finetune(model, 60, 0)
    tallies = task.evaluate(model, head, CODES, "dev")
    for code in CODES:
        said = []
        for sentence in world.entities.sentences(code, "dev"):
            states, fast = plain_states(encoder, model, sentence.words)
            best, owners = head(states).argmax(1).tolist(), fast.word_ids(0)
            said.append([task.tags[best[owners.index(word)]] for word in range(len(sentence.words))])
        gold = [list(sentence.tags) for sentence in world.entities.sentences(code, "dev")]
        assert tallies[code].value == pytest.approx(f1_score(gold, said, zero_division=0))
        assert len(tallies[code].total) == len(gold)


def test_the_worlds_entities_are_iob2_in_every_language_and_say_the_same(world: World) -> None:
    def spans(tags: tuple[str, ...]) -> list[str]:
        assert all(tag[0] != "I" or before[1:] == tag[1:] for before, tag in zip(("O", *tags), tags, strict=False))
        return sorted(tag[2:] for tag in tags if tag[0] == "B")

    english = [spans(one.tags) for one in world.entities.sentences("eng", "dev")]
    assert {"PER", "LOC", "ORG"} == {kind for some in english for kind in some}
    assert any("I-" in tag for one in world.entities.sentences("eng", "dev") for tag in one.tags)
    for code in ("fin", "jpn", "swh", "arb"):
        assert [spans(one.tags) for one in world.entities.sentences(code, "dev")] == english
    assert [one.tags for one in world.entities.sentences("fin", "dev")] != [
        one.tags for one in world.entities.sentences("eng", "dev")
    ], "word order does not show"
    with pytest.raises(InputError, match="labels training sentences in eng only"):
        world.entities.sentences("fin", "train")


def test_the_worlds_other_labels_left_its_sentences_and_signature_alone() -> None:
    """Golden: of the world before it had entities and topics; the cached encoder hangs on it."""
    assert World().signature == "world:c175b290bbc79238"


@pytest.mark.parametrize(("tags", "said"), [(("PER", "O"), "not an IOB2 tag"), (("O", "O"), "no entity")])
def test_tags_that_are_no_entities_are_refused(encoder: Encoder, tags: tuple[str, str], said: str) -> None:
    corpus = OnePlace([Tagged(("a", "b"), tags)])
    with pytest.raises(InputError, match=said):
        Tagging(encoder, corpus, "eng", FineTuning(batch=32), right_spans)


def test_an_entity_type_the_source_lacks_is_a_miss_not_an_error(world: World, encoder: Encoder) -> None:
    train = world.entities.sentences("eng", "train")
    foreign = [replace(one, tags=tuple(tag.replace("PER", "MISC") for tag in one.tags)) for one in train[:20]]

    class Mixed(OnePlace):
        def sentences(self, language: str, split: Split) -> Any:
            return train if split == "train" else foreign

    task = Tagging(encoder, Mixed([]), "eng", FineTuning(batch=32), right_spans)
    model = encoder.copy()
    head = task.finetune(model, 5, 0)
    tally = task.evaluate(model, head, ["deu"], "dev")["deu"]
    there = sum(tag[0] == "B" for one in foreign for tag in one.tags)
    assert sum(tally.total) >= there


# --- windows --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [6, 9, 16, 128])
def test_windows_hold_every_word_once_in_order(world: World, encoder: Encoder, length: int) -> None:
    sentences = [one.words for one in world.sentences("fin", "dev")]
    cut = windows(encoder, sentences, length)
    seen: list[list[int]] = [[] for _ in sentences]
    for row in sorted(range(len(cut.table)), key=lambda row: int(cut.start[row])):
        word = cut.table.take(np.array([row]))[2][0]
        assert len(word) <= length
        seen[int(cut.owner[row])] += [int(cut.start[row]) + w for w in sorted({*word.tolist()} - {-1})]
    assert seen == [list(range(len(words))) for words in sentences]
    assert (len(cut.table) > len(sentences)) == (length < 20)


def test_a_word_longer_than_a_window_is_read_by_its_beginning(encoder: Encoder) -> None:
    cut = windows(encoder, [("a", "kajozi" * 30, "b")], 8)
    assert cut.start.tolist() == [0, 1, 2]
    assert int(cut.table.length.max()) == 8


def test_every_word_of_a_long_sentence_gets_a_prediction(world: World, encoder: Encoder) -> None:
    """A tagger that has learned one constant tag is right on every word, however short the windows."""
    rows = [Tagged(one.words, ("NOUN",) * len(one.words)) for one in world.sentences("deu", "dev")]
    train = [*rows, Tagged(("x",), ("VERB",))]

    class Constant(OnePlace):
        def sentences(self, language: str, split: Split) -> Any:
            return train if split == "train" else rows

    task = Tagging(encoder, Constant([]), "eng", FineTuning(batch=32, max_length=6))
    model = encoder.copy()
    tally = task.evaluate(model, task.finetune(model, 30, 0), ["deu"], "dev")["deu"]
    assert tally.correct == tally.total == tuple(len(one.words) for one in rows)


# --- classification -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pooling", ["first", "mean"])
def test_classes_agree_with_a_plain_loop(world: World, encoder: Encoder, pooling: Any) -> None:
    task = Classification(encoder, world, "eng", FineTuning(batch=32), pooling)
    model = encoder.copy()
    head = task.finetune(model, 20, 0)
    tallies = task.evaluate(model, head, CODES, "test", 15)
    for code in CODES:
        right = []
        for example in world.examples(code, "test")[:15]:
            states, fast = plain_states(encoder, model, example.first)
            real = torch.tensor([word is not None for word in fast.word_ids(0)])
            vector = states[0] if pooling == "first" else states[real].mean(0)
            right.append(int(task.labels[int(head(vector).argmax())] == example.label))
        assert tallies[code] == Tally(tuple(right), (1,) * 15)


def test_pairs_are_read_together_and_what_is_cut_off_is_told(
    encoder: Encoder, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    sentences = [one.words for one in world.sentences("eng", "dev")]
    pairs = [Classified(a, b, str(i % 2)) for i, (a, b) in enumerate(pairwise(sentences))]
    task = Classification(encoder, OnePlace(pairs), "eng", FineTuning(batch=32))
    model = encoder.copy()
    head = task.finetune(model, 10, 0)
    tally = task.evaluate(model, head, ["eng"], "dev")["eng"]
    right = []
    for pair in pairs:
        assert pair.second is not None
        states, _ = plain_states(encoder, model, pair.first, pair.second)
        right.append(int(task.labels[int(head(states[0]).argmax())] == pair.label))
    assert list(tally.correct) == right
    assert not caplog.records

    short = Classification(encoder, OnePlace(pairs), "eng", FineTuning(batch=32, max_length=12))
    short.evaluate(model, head, ["eng"], "dev")
    assert "words are beyond 12 sub-words" in caplog.text
    assert 0.2 < share_truncated(short._encode(pairs), pairs) < 0.8
    assert share_truncated(task._encode(pairs), pairs) == 0


def test_examples_that_cannot_be_classified_are_refused(encoder: Encoder) -> None:
    mixed = [Classified(("a",), None, "x"), Classified(("a",), ("b",), "y")]
    for rows, said in ((mixed, "some are not"), (mixed[:1], "one label")):
        with pytest.raises(InputError, match=said):
            Classification(encoder, OnePlace(rows), "eng", FineTuning(batch=32))


# --- retrieval ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("layer", "length"), [(-1, 128), (1, 128), (-1, 8)])
def test_retrieval_agrees_with_a_plain_loop(world: World, encoder: Encoder, layer: int, length: int) -> None:
    tallies = Retrieval(encoder, world, layer, length).evaluate(encoder.model, None, ("deu", "tam"), "dev", 20)
    if length == 8:  # windows: only that nothing is lost is known without doing the same again
        assert all(len(tally.total) == 20 for tally in tallies.values())
        return
    for code, tally in tallies.items():
        sides: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
        pairs = world.pairs(code, "dev")[:20]
        for pair in pairs:
            for side, words in zip(sides, (pair.source, pair.target), strict=True):
                fast = encoder.tokenizer([list(words)], is_split_into_words=True, return_tensors="pt")
                with torch.inference_mode():
                    out = encoder.model(
                        **{k: fast[k] for k in ("input_ids", "attention_mask")}, output_hidden_states=True
                    )
                mean = out.hidden_states[layer][0, 1:-1].mean(0).numpy().astype(float)
                side.append(mean / np.linalg.norm(mean))
        similarity = np.stack(sides[0]) @ np.stack(sides[1]).T
        right = [int(similarity[i].argmax() == i) + int(similarity[:, i].argmax() == i) for i in range(20)]
        assert len({pair.source for pair in pairs}) == len({pair.target for pair in pairs}) == 20
        assert tally == Tally(tuple(right), (2,) * 20)


def test_a_sentence_is_retrieved_from_itself_even_when_said_twice(encoder: Encoder, world: World) -> None:
    words = [one.words for one in world.sentences("eng", "dev")[:8]]
    corpus = OnePlace([Pair(some, some) for some in [*words, words[0]]])
    assert Retrieval(encoder, corpus).evaluate(encoder.model, None, ["deu"], "dev")["deu"].value == 1


def test_a_layer_that_is_not_there_is_refused(encoder: Encoder, world: World) -> None:
    with pytest.raises(InputError, match="there is no layer 3"):
        Retrieval(encoder, world, 3)


# --- all of them ----------------------------------------------------------------------------------------------------


def tasks(encoder: Encoder, world: World) -> dict[str, TransferTask]:
    how = FineTuning(batch=32)
    return {
        "pos": Tagging(encoder, world, "eng", how, right_words),
        "ner": Tagging(encoder, world.entities, "eng", how, right_spans),
        "classification": Classification(encoder, world, "eng", how, "mean"),
        "retrieval": Retrieval(encoder, world),
    }


def test_what_is_learned_in_the_source_is_there_and_above_chance(world: World, encoder: Encoder) -> None:
    """On new sentences of the source. Chance: the most frequent tag of 14, no entity, one topic of 8."""
    chance = {"pos": 0.35, "ner": 0.2, "classification": 0.2}
    for name, task in tasks(encoder, world).items():
        if name in chance:
            model = encoder.copy()
            head = task.finetune(model, 150, 0)
            assert task.evaluate(model, head, ["eng"], "dev")["eng"].value > chance[name], name


def test_one_stream_of_all_languages_is_each_language_alone(world: World, encoder: Encoder) -> None:
    for task in tasks(encoder, world).values():
        model = encoder.copy()
        head = task.finetune(model, 5, 0)
        together = task.evaluate(model, head, CODES, "dev", 10)
        assert list(together) == list(CODES)
        for code in CODES:
            assert together[code] == task.evaluate(model, head, [code], "dev", 10)[code]


def test_every_task_is_scored_and_signed_apart(world: World, encoder: Encoder) -> None:
    small, subset = Fidelity(pairs=32, steps=4, examples=8), Subset.of([parse("fin")])
    signatures = set()
    for task in tasks(encoder, world).values():
        evaluator = RealignAndTransfer(encoder, world, task, CODES, "dev", Realignment())
        score = evaluator(subset, small, 0)
        assert evaluator(subset, small, 0) == score
        assert score.value == pytest.approx(sum(score.per_language.values()) / 3)
        assert json.dumps(dict(task.facts))
        signatures.add(score.signature)
    other = RealignAndTransfer(encoder, world, Retrieval(encoder, world, 1), CODES, "dev", Realignment())
    assert len({*signatures, other.signature(subset, small, 0)}) == 5


def test_no_sentence_with_an_entity_is_zero_not_an_error() -> None:
    nothing = Tally((0, 0), (0, 0))
    score = Score(0.0, {"fin": 0.0}, "", {"fin": nothing})
    assert nothing.value == 0
    assert score_row([[score]]).estimate(["fin"]).interval() == (0, 0)


# --- the study file and the command line ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 5, "epochs": 1},
        {"kind": "pos", "pooling": "mean"},
        {"kind": "ner", "layer": 1},
        {"kind": "retrieval", "steps": 5},
        {"kind": "classification", "data": {"kind": "conllu", "folder": "x"}},
        {"kind": "mt"},
    ],
)
def test_settings_that_mean_nothing_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"task\.toml"):
        check(TaskSettings, Path("task.toml"), wrong)


STUDY = """
name = "small"
[pool]
languages = ["deu", "fin", "swh"]
k = 1
[targets]
held_out = ["tam"]
[model]
base = "encoder"
[task]
kind = "{kind}"
examples = 10
{more}
[realign]
steps = 3
batch = 8
[search]
strategy = "random"
trials = 2
warm_start = false
[confirm]
top = 1
seeds = 2
"""


@pytest.mark.parametrize(
    ("kind", "more", "metric", "steps"),
    [
        ("ner", "steps = 5", "span F1", 5),
        ("classification", 'epochs = 0.1\nbatch = 32\npooling = "mean"', "accuracy", 5),
        ("retrieval", "layer = 1", "accuracy", 0),
    ],
)
def test_a_study_of_each_task_from_search_to_export(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    kind: str,
    more: str,
    metric: str,
    steps: int,
) -> None:
    monkeypatch.setenv("REALINGO_CACHE", str(tmp_path / "cache"))
    (tmp_path / "encoder").symlink_to(folder)
    path = tmp_path / "small.toml"
    path.write_text(STUDY.format(kind=kind, more=more), encoding="utf-8")

    def answer(*arguments: str) -> dict[str, Any]:
        assert exit_status([arguments[0], str(path), *arguments[1:], "--json"]) == 0
        return dict(json.loads(capsys.readouterr().out))

    best = answer("search")["best"]
    assert best["fidelity"]["steps"] == steps
    assert set(best["per_language"]) == {"deu", "fin", "swh"}
    document = answer("confirm")
    assert document["metric"] == metric
    assert all(math.isfinite(row["mean"]) for row in document["rows"])
    if kind != "ner":  # the rest tells all metrics in the same words
        return
    exported = answer("export", "-o", str(tmp_path / "chosen"))
    assert exported["metric"] == metric
    assert f"| {metric} |" in (tmp_path / "chosen" / "README.md").read_text(encoding="utf-8")
    assert metric in (tmp_path / "chosen" / "report.html").read_text(encoding="utf-8")
    assert f'kind = "{kind}"' in (tmp_path / "chosen" / "realign.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(("kind", "form"), [("ner", "conll"), ("classification", "table")])
def test_local_files_score_what_the_same_text_scores_otherwise(
    world: World, encoder: Encoder, folder: Path, tmp_path: Path, kind: str, form: str
) -> None:
    """Entities in columns and JSON lines, written from the world and read back through a study file."""
    (tmp_path / "encoder").symlink_to(folder)
    (tmp_path / "labels").mkdir()
    places: list[tuple[str, Split]] = [("eng", "train"), ("deu", "dev"), ("fin", "dev"), ("swh", "dev")]
    for code, split in places:
        name = tmp_path / "labels" / f"{code}.{split}.{'conll' if kind == 'ner' else 'jsonl'}"
        if kind == "ner":
            said = [zip(one.words, one.tags, strict=True) for one in world.entities.sentences(code, split)]
            name.write_text("\n\n".join("\n".join(f"{w}\t{t}" for w, t in one) for one in said) + "\n", "utf-8")
        else:
            rows = [{"text": " ".join(one.first), "label": one.label} for one in world.examples(code, split)]
            name.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    path = tmp_path / "small.toml"
    more = f'steps = 4\ndata = {{kind = "{form}", folder = "labels"}}'
    path.write_text(STUDY.format(kind=kind, more=more), encoding="utf-8")
    config = load_study(path)
    found = assemble.evaluator(config.core, config.scope, config.pool, "dev").evaluator(
        Subset(), Fidelities(config).full, 0
    )

    how = FineTuning(batch=config.core.task.batch)
    own = (
        Tagging(encoder, world.entities, "eng", how, right_spans)
        if kind == "ner"
        else Classification(encoder, world, "eng", how)
    )
    model = encoder.copy()
    head = own.finetune(model, 4, 0)
    assert found.tallies == own.evaluate(model, head, ("deu", "fin", "swh"), "dev", 10)
