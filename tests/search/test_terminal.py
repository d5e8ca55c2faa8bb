"""Progress where nobody watches a terminal, tables at any width, and how much is said."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rehearsal import realingo
from rich.console import Console, RenderableType

from search import terminal


def test_a_label_that_begins_again_is_timed_anew(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr(terminal.time, "monotonic", lambda: now[0])
    with terminal.progress() as advance:
        for began in (0.0, 100.0):
            for done in range(1, 5):
                now[0] = began + 6.0 * (done - 1)
                advance("reading", done, 4, "a note" if done == 2 else "")
    once = "reading: 2/4 in 6 s, about 6 s left, a note\nreading: 3/4 in 12 s, about 4 s left\nreading: 4/4 in 18 s\n"
    assert capsys.readouterr().err == once * 2


def test_what_is_quick_is_not_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(terminal.time, "monotonic", lambda: 1.0)
    with terminal.progress() as advance:
        for done in (1, 2, 1, 2):
            advance("reading", done, 2)
    assert capsys.readouterr().err == ""


CELLS = st.text("abcdefghij ", max_size=24)
TABLES = st.integers(2, 7).flatmap(
    lambda columns: st.tuples(
        st.lists(st.text("abcdef", min_size=1, max_size=14), min_size=columns, max_size=columns, unique=True),
        st.lists(st.lists(CELLS, min_size=columns, max_size=columns), min_size=1, max_size=5),
    )
)


def drawn(table: RenderableType, width: int) -> str:
    console = Console(width=width, soft_wrap=True, emoji=False, markup=False)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


@given(TABLES, st.integers(50, 130), st.integers(0, 3), st.booleans())
def test_no_word_is_broken_and_no_line_is_too_long(
    table: tuple[list[str], list[list[str]]], width: int, figures: int, matrix: bool
) -> None:
    columns, rows = table
    right = tuple(columns[len(columns) - figures :]) if figures < len(columns) else ()
    text = drawn(terminal.table("", columns, rows, right, matrix=matrix), width)
    assert max(map(len, text.splitlines())) <= width
    words = set(text.replace("│", " ").replace("┃", " ").split())
    assert {word for row in rows for cell in row for word in cell.split()} <= words


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_p_stands_beside_its_number(width: int) -> None:
    columns = ["subset", "languages", "mean", "95 %", "held out", "vs none", "vs all", "vs random", "worse than none"]
    row = ["best", "fin mar rus swh", "54.1", "51.0 to 57.3", "39.0", "+25.3 (p<0.001)", "+0.1 (p=1)", "+1.4 (p=0.79)"]
    text = drawn(terminal.table("", columns, [[*row, "hin"]], right=tuple(columns[2:8])), width)
    assert all(cell in text for cell in (*row[2:], "best", "hin"))
    assert max(map(len, text.splitlines())) <= width


def test_what_can_be_spared_goes_first_and_is_said() -> None:
    columns, row = ["code", "name", "place", "rows"], ["deu", "n" * 20, "p" * 20, "r" * 20]
    table = terminal.table("", columns, [row], spare=("place", "rows"))
    wide, narrow, narrower = (drawn(table, width) for width in (100, 70, 45))
    assert "not shown" not in wide
    assert "not shown at this width: rows;" in narrow
    assert "not shown at this width: place, rows;" in narrower
    assert "p" * 20 in narrow
    assert "p" * 20 not in narrower


def test_a_matrix_is_drawn_in_parts_beside_its_codes() -> None:
    codes = [f"l{number:02}" for number in range(20)]
    rows = [[code, *(f"0.{place:03}" for place in range(20))] for code in codes]
    text = drawn(terminal.table("d", ["", *codes], rows, right=tuple(codes), matrix=True), 80)
    assert max(map(len, text.splitlines())) <= 80
    assert all(text.count(f"│ {code} │") == text.count(" l00 │") for code in codes)
    assert all(text.count(f"0.{place:03}") == 20 for place in range(20))


@pytest.fixture
def as_before() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("realingo", "realign", "selector", "search")]
    states = [(logger, logger.level, logger.handlers, logger.propagate) for logger in loggers]
    yield
    terminal.adjust()
    for logger, level, handlers, propagate in states:
        logger.setLevel(level)
        logger.handlers, logger.propagate = handlers, propagate


@pytest.mark.usefixtures("as_before")
def test_quiet_is_quiet_and_verbose_tells_more(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr(terminal.time, "monotonic", lambda: now[0])
    terminal.adjust(quiet=True)
    terminal.remark("a remark")
    with terminal.progress() as advance:
        for done in range(1, 5):
            now[0] += 6.0
            advance("reading", done, 4)
    assert capsys.readouterr().err == ""
    terminal.adjust(verbose=True)
    logging.getLogger("realign.encoder").info("a detail")
    terminal.remark("a remark")
    said = capsys.readouterr().err
    assert "realign.encoder: a detail" in said
    assert "a remark" in said


@pytest.mark.usefixtures("as_before")
def test_options_of_every_command_stand_before_or_behind_it(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("--quiet", "languages", "deu"), ("languages", "deu", "--quiet"), ("languages", "--no-color", "deu")
    for words in asked:
        assert realingo(*words) == 0
        assert "German" in capsys.readouterr().out
    assert terminal.out.no_color
    assert realingo("languages", "deu", "--quiet", "--verbose") == 2
    assert "exclude each other" in capsys.readouterr().err


@pytest.mark.usefixtures("as_before")
@pytest.mark.parametrize("option", ["--no-color", "--verbose"])
def test_an_error_that_nobody_foresaw_is_two_lines_and_a_traceback_for_those_who_ask(
    option: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from search import cli
    from search.commands import languages

    def fail(*_: object) -> None:
        raise ZeroDivisionError("nobody\nforesaw it")

    monkeypatch.setattr(languages, "describe", fail)
    with pytest.raises(SystemExit) as end:
        cli.main(["languages", "deu", option])
    assert end.value.code == 1
    said = capsys.readouterr().err.splitlines()
    assert said[-2] == "error: ZeroDivisionError: nobody foresaw it"
    assert said[-1].startswith("hint: ")
    assert (len(said) > 2) == (option == "--verbose")
    assert any("Traceback" in line for line in said) == (option == "--verbose")


def test_sentences_break_between_words_on_a_terminal_and_not_in_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "one two three\nfour " + "five six seven eight nine ten " * 5
    console = Console(width=40, force_terminal=True, soft_wrap=True)
    monkeypatch.setattr(terminal, "out", console)
    with console.capture() as capture:
        terminal.emit({}, False, lambda _: terminal.stack(text, text))
        terminal.emit({}, False, lambda _: text)
    lines = capture.get().splitlines()
    assert max(map(len, lines)) <= 40
    assert " ".join(" ".join(lines).split()) == " ".join((text * 3).replace("ten one", "ten  one").split())
    monkeypatch.setattr(terminal, "out", Console(width=40, soft_wrap=True))
    with terminal.out.capture() as capture:
        terminal.emit({}, False, lambda _: terminal.stack(text))
    assert capture.get().splitlines() == text.splitlines()
