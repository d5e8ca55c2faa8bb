"""Progress where nobody watches a terminal."""

from __future__ import annotations

import pytest

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
