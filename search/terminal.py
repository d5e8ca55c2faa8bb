"""What is written to the terminal: data on stdout, progress and remarks on stderr (imports rich)."""

from __future__ import annotations

import json
import logging
import os
import shlex
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from rich.console import Console, Group, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text as Text  # for cells with a style

from realign.score import Advance as Advance  # what `progress` gives can be called as
from search.results.json_reader import Json
from search.rich_tables import Prose as Prose
from search.rich_tables import listing as listing
from search.rich_tables import table as table
from selector.errors import RunError

PIPED_WIDTH = 160  # columns of a table that goes to a file or a log

_on_a_terminal = sys.stdout is not None and sys.stdout.isatty()  # None: the caller closed it
# Names come from files, folders and databases: [x] is no style, and a code such as :family: is no emoji.
out = Console(soft_wrap=True, emoji=False, markup=False, width=None if _on_a_terminal else PIPED_WIDTH)
err = Console(stderr=True, soft_wrap=True, highlight=False, emoji=False, markup=False)

FIRST_SECONDS = 2.0  # before a first line
PLAIN_EVERY_SECONDS, LONGEST_PAUSE_SECONDS = 5.0, 60.0  # between lines, and without one while something is under way
MOST_WORKERS = 8  # in a line
_plain_out = out.no_color  # NO_COLOR is set
_quiet = False  # asked for by the user: no progress and no remarks, only warnings and errors
_verbose = False  # asked for: what is logged, and tracebacks
_listener: ContextVar[Advance | None] = ContextVar("listener", default=None)
_log = logging.getLogger("realingo")


class Noted(Protocol):
    """`Advance` with room for a note on how it goes."""

    def __call__(self, what: str, done: int, total: int, note: str = "") -> None: ...


class Printable(Protocol):
    """A result that has a form in JSON."""

    def to_json(self) -> Json: ...


Result = TypeVar("Result", bound=Printable | Mapping[str, object])


def emit(result: Result, as_json: bool, render: Callable[[Result], RenderableType], then: str = "") -> None:
    """Print one result: a JSON document and nothing else, or what `render` makes of it, and on stderr the command that
    comes next, `then`."""
    if as_json:
        document = result if isinstance(result, Mapping) else result.to_json()
        write_line(json.dumps(document, ensure_ascii=not _speaks_unicode(), allow_nan=False))
        return
    shown = _readable(render(result))
    with _all_written():
        out.print(shown)
    if then:
        remark(f"next: {then}")


def write_line(text: object) -> None:
    """Write one line of data to stdout. RunError where it cannot be written."""
    with _all_written():
        print(text)


def discard_output() -> None:
    """Send what is still to come on stdout nowhere: nobody can read it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _all_written() -> Iterator[None]:
    try:
        yield
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as problem:
        discard_output()
        message = f"the answer cannot be written to standard output: {problem.strerror or problem}"
        raise RunError(message, "free some space or send the output elsewhere; then run the command again") from None


def _speaks_unicode() -> bool:
    return sys.stdout is None or (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf")


def command_line(*words: str | Path, overrides: Sequence[str] | None = None) -> str:
    """A command of ours as a person would type it, with the same `--set`."""
    sets = [part for override in overrides or () for part in ("--set", override)]
    return shlex.join(["realingo", *map(str, words), *sets])


def adjust(quiet: bool = False, verbose: bool = False, color: bool = True) -> None:
    """Set what the user wants to see on stderr, and whether in colours; for the rest of this process."""
    global _quiet, _verbose
    _quiet, _verbose = quiet, verbose
    out.no_color, err.no_color = not color or _plain_out, not color or _plain_out
    if verbose:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(asctime)s %(name)s: %(message)s", "%H:%M:%S"))
        for name in ("realingo", "realign", "selector", "search"):
            logger = logging.getLogger(name)
            logger.setLevel(logging.INFO)
            logger.handlers, logger.propagate = [handler], False


def remark(text: str, level: int = logging.INFO) -> None:
    """A line on stderr; for a caller from Python a message of the logger "realingo", at `level` of logging."""
    if _listener.get() is None:
        if not _quiet:
            err.print(Prose(text) if err.is_terminal else text)
    else:
        _log.log(level, text)


def warn(text: str) -> None:
    """A remark on what failed though the work goes on; a caller from Python who sets up no logging sees it as well."""
    remark(text, logging.WARNING)


@contextmanager
def heard_by(listener: Advance) -> Iterator[None]:
    """Here nothing is written to the terminal: progress goes to `listener`, remarks go to a logger."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def complain(message: str, hint: str) -> None:
    """Exactly two lines on stderr, whatever the message came with."""
    for label, text in (("error", message), ("hint", hint)):
        sys.stderr.write(f"{label}: {' '.join(text.split())}\n")


def complain_of_a_bug(problem: Exception) -> None:
    """Two lines for an error that nobody foresaw, and with --verbose where it came from."""
    if _verbose:
        traceback.print_exception(problem)
        hint = "this is an error in Realingo or in your own code: please report it with the lines above"
    else:
        hint = "this is an error in Realingo or in your own code: add --verbose to see where"
    complain(f"{type(problem).__name__}: {problem}", hint)


@contextmanager
def progress() -> Iterator[Noted]:
    """Bars with time left on a terminal; one plain line per label every few seconds elsewhere.

    A label that counts from the start again begins anew. What is before ": " in a label, a worker, has one bar,
    whatever it does; elsewhere what workers do is told in one line for all.
    """
    if (listener := _listener.get()) is not None:
        yield lambda what, done, total, note="": listener(what, done, total)
        return
    if _quiet:
        yield lambda what, done, total, note="": None
        return
    if not err.is_terminal:
        with _plain_lines() as lines:
            yield lines
        return
    columns = (_plain("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    left = (_plain("left"), TimeRemainingColumn(), _plain("{task.fields[note]}"))
    with Progress(*columns, *left, console=err) as bars:
        tasks: dict[str, TaskID] = {}

        def advance(what: str, done: int, total: int, note: str = "") -> None:
            bar = what.partition(": ")[0]
            if bar not in tasks:
                tasks[bar] = bars.add_task(what, total=total, note=note)
            task = next(each for each in bars.tasks if each.id == tasks[bar])
            if what != task.description or done < task.completed:
                bars.reset(task.id)
            bars.update(task.id, description=what, completed=done, total=total, note=note)

        yield advance


def _plain(form: str) -> TextColumn:
    return TextColumn(form, markup=False)


@dataclass
class LabelProgress:
    """Times and counts that were heard of one label."""

    begun: float  # seconds of the clock
    last: float  # when a line was written of it, or it began
    done: int = 0
    total: int = 0
    note: str = ""
    spoken: bool = False
    ended: bool = False


class Lines:
    """Progress as lines: of each label the first after two seconds, then every few; and where nothing is heard for
    long, what is under way, less and less often. A step that takes minutes is seen, and a log stays short.
    """

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float] | None = None) -> None:
        self._say, self._lock = say, threading.Lock()
        self._clock = clock or (lambda: time.monotonic())
        self._stages: dict[str, LabelProgress] = {}  # the one heard of last comes last
        self._spoke = self._clock()
        self._pause = FIRST_SECONDS

    def __call__(self, what: str, done: int, total: int, note: str = "") -> None:
        with self._lock:
            now, before = self._clock(), self._stages.pop(what, None)
            stage = before if before is not None and done >= before.done else LabelProgress(now, now)
            self._stages[what] = stage
            stage.done, stage.total, stage.note = done, total, note
            due = now - stage.last >= (PLAIN_EVERY_SECONDS if stage.spoken else FIRST_SECONDS)
            if ": " not in what and not stage.ended and (due or (done >= total and stage.spoken)):
                self._tell(what, stage, now)
                self._pause = FIRST_SECONDS
            stage.ended = done >= total

    def beat(self) -> None:
        """Say what is under way if nothing was said for a while."""
        with self._lock:
            now = self._clock()
            under_way = [(what, stage) for what, stage in self._stages.items() if not stage.ended]
            if under_way and now - self._spoke >= self._pause:
                workers = sorted((what, stage) for what, stage in under_way if ": " in what)
                if workers:
                    self._tell_workers(workers, now)
                else:
                    self._tell(*under_way[-1], now)
                self._pause = min(LONGEST_PAUSE_SECONDS, 2 * self._pause)

    def _tell_workers(self, workers: list[tuple[str, LabelProgress]], now: float) -> None:
        some = workers[:MOST_WORKERS]
        parts = [f"{what} {each.done}/{each.total} in {now - each.begun:.0f} s" for what, each in some]
        more = len(workers) - len(parts)
        self._say("; ".join(parts) + (f"; and {more} more" if more else ""))
        self._spoke = now

    def _tell(self, what: str, stage: LabelProgress, now: float) -> None:
        spent, done, total = now - stage.begun, stage.done, stage.total
        left = f", about {spent / done * (total - done):.0f} s left" if 0 < done < total else ""
        self._say(f"{what}: {done}/{total} in {spent:.0f} s{left}{', ' if stage.note else ''}{stage.note}")
        stage.last, stage.spoken, self._spoke = now, True, now


@contextmanager
def _plain_lines() -> Iterator[Noted]:
    lines, over = Lines(remark), threading.Event()

    def beat() -> None:
        while not over.wait(FIRST_SECONDS / 2):
            lines.beat()

    thread = threading.Thread(target=beat, name="progress", daemon=True)
    thread.start()
    try:
        yield lines
    finally:
        over.set()
        thread.join()


def stack(*parts: RenderableType) -> Group:
    """Several renderables, one under the other."""
    return Group(*map(_readable, parts))


def _readable(part: RenderableType) -> RenderableType:
    """On a terminal a sentence breaks between words; in a file it is one line."""
    return Prose(part) if isinstance(part, str) and out.is_terminal else part
