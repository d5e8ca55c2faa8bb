"""Progress as lines: what is under way is never silent for long, and a log stays short."""

from __future__ import annotations

import itertools

import pytest

from realign.realign_and_transfer import RealignAndTransfer
from realign.score import Fidelity
from realign.tasks.tagging import Tagging
from realign.tasks.transfer_task import FineTuning
from realign.training.settings import Realignment
from realign.world.world import Sizes, World
from realign.world.world_encoder import world_encoder
from search.terminal import Lines
from selector.languages.language import parse_pool
from selector.languages.subset import Subset


class Log:
    """Lines written, and a clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.written: list[str] = []
        self.lines = Lines(self.written.append, lambda: self.now)

    def at(self, seconds: float, what: str, done: int, total: int) -> None:
        self.now = seconds
        self.lines(what, done, total)


def test_the_first_line_comes_after_two_seconds_and_the_last_when_it_is_done() -> None:
    log = Log()
    for tenth in range(121):
        log.at(tenth / 10, "tokenizing", tenth, 120)
    assert [line.split(",")[0] for line in log.written] == [
        "tokenizing: 20/120 in 2 s",
        "tokenizing: 70/120 in 7 s",
        "tokenizing: 120/120 in 12 s",
    ]


def test_a_long_step_is_told_less_and_less_often() -> None:
    log = Log()
    log.at(0.0, "search", 0, 3)
    log.at(0.0, "evaluating", 0, 9)
    told = []
    for second in range(1, 601):
        log.now = float(second)
        before = len(log.written)
        log.lines.beat()
        told += [second] if len(log.written) > before else []
    assert told[:5] == [2, 6, 14, 30, 62]
    assert {b - a for a, b in itertools.pairwise(told[4:])} == {60}
    assert all(line.startswith("evaluating: 0/9") for line in log.written)


def test_what_has_ended_is_not_under_way() -> None:
    log = Log()
    log.at(0.0, "search", 1, 3)
    log.at(1.0, "evaluating", 9, 9)
    log.now = 10.0
    log.lines.beat()
    assert log.written == ["search: 1/3 in 10 s, about 20 s left"]
    log.at(11.0, "search", 3, 3)
    log.now = 100.0
    log.lines.beat()
    assert len(log.written) == 2


def test_what_workers_do_is_told_in_one_line_and_only_while_nothing_else_is() -> None:
    log = Log()
    log.at(0.0, "search", 0, 3)
    for second in range(1, 61):
        log.at(float(second), "worker 2: realigning", second, 100)
        log.at(float(second), "worker 1: evaluating", min(second, 50), 50)
        log.lines.beat()
    assert log.written[:3] == [
        "worker 1: evaluating 2/50 in 1 s; worker 2: realigning 2/100 in 1 s",
        "worker 1: evaluating 6/50 in 5 s; worker 2: realigning 6/100 in 5 s",
        "worker 1: evaluating 14/50 in 13 s; worker 2: realigning 14/100 in 13 s",
    ]
    assert len(log.written) == 4
    log.written.clear()
    log.at(61.0, "search", 1, 3)
    log.now = 63.0
    log.lines.beat()
    assert log.written == [
        "search: 1/3 in 61 s, about 122 s left",
        "worker 2: realigning 60/100 in 62 s",
    ]  # the other has ended


@pytest.mark.usefixtures("own_cache")
def test_every_stage_of_an_evaluation_is_heard_of_and_changes_no_digit() -> None:
    world, encoder = World(0, Sizes(parallel=40, source=40, evaluation=10)), world_encoder()
    how = Realignment(loss="word", aligner="mutual", batch=8)
    subset, fidelity = Subset(parse_pool("deu,fin")), Fidelity(32, 5, 6)
    heard: dict[str, list[tuple[int, int]]] = {}

    def advance(what: str, done: int, total: int) -> None:
        heard.setdefault(what, []).append((done, total))

    def score(listener: object) -> object:
        task = Tagging(encoder, world, "eng", FineTuning(batch=8))
        evaluator = RealignAndTransfer(encoder, world, task, ["deu", "fin"], "dev", how, advance=listener)  # type: ignore[arg-type]
        return evaluator(subset, fidelity, 3)

    assert score(advance) == score(None)
    assert set(heard) == {
        "tokenizing parallel text",
        "aligning deu",
        "aligning fin",
        "realigning",
        "fine-tuning",
        "evaluating",
    }
    for what, calls in heard.items():
        assert calls[-1][0] == calls[-1][1] > 0, what
    assert heard["fine-tuning"] == [(step, 5) for step in range(1, 6)]
