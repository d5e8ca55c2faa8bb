"""A journal file that survives its writers: Optuna's, with what a kill or a full disk leaves in it made harmless.

Optuna appends one JSON record a line, under a lock, and trusts that each line is whole. A line that was cut short is
glued to the next record, and from then on nobody can read the file. Here a writer first cuts off an unfinished last
line, under the lock; a reader finds the record that was glued to such a line, and names any other line that is no
record. A lock whose holder was killed is broken. The file stays one that Optuna's own tools read.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

from search.results.json_reader import Json
from selector.errors import InputError

START = b'{"op_code"'
STALE = 10.0  # seconds after which a lock that has not changed is a dead writer's; a write takes milliseconds


class Journal(JournalFileBackend):
    """Raises ValueError for a file that is something else."""

    def __init__(self, file: str) -> None:
        self._file = Path(file)
        if self._file.exists():
            with self._file.open("rb") as stream:
                head = stream.read(4096)
            if head.strip() and START not in head:
                raise ValueError(f"{file} is no journal of a study")
        self._only = Lock(file)
        super().__init__(file, self._only)
        self._places = {0: (0, 0)}  # number of records before → bytes and lines before

    def read_logs(self, log_number_from: int) -> Generator[Json, None, None]:
        """The records from the number `log_number_from` on. An unfinished last line is not there yet.

        InputError: a damaged line, with its number.
        """
        number = max(known for known in self._places if known <= log_number_from)
        with self._file.open("rb") as stream:
            place, lines = self._places[number]
            stream.seek(place)
            for line in stream:
                if not line.endswith(b"\n"):
                    return
                place, lines = place + len(line), lines + 1
                if (record := _record(line)) is None:
                    raise _damaged(self._file, lines)
                number += 1
                if number > log_number_from:
                    self._places = {0: (0, 0), number: (place, lines)}
                    yield record

    def append_logs(self, logs: list[Json]) -> None:
        """Append all of `logs` or, with OSError, none: what a full disk cuts short is taken back."""
        content = b"".join(json.dumps(log, separators=(",", ":")).encode() + b"\n" for log in logs)
        with self._only.hold(), self._file.open("r+b") as stream:
            size = _whole(self._file)
            stream.truncate(size)
            stream.seek(size)
            try:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            except OSError:
                os.truncate(self._file, size)
                raise


class Lock(JournalFileSymlinkLock):
    """Optuna's, but one left behind is always seen: by the link itself, not by the file it may no longer lead to."""

    def __init__(self, file: str, stale: float = STALE) -> None:
        super().__init__(file)
        self._stale = stale

    def acquire(self) -> bool:
        seen, since, pause = None, time.monotonic(), 0.001
        while True:
            try:
                os.symlink(self._lock_target_file, self._lock_file)
                return True
            except FileExistsError:
                now = self._look()
                if now is None or now != seen:
                    seen, since = now, time.monotonic()
                elif time.monotonic() - since > self._stale:
                    self._break(seen)
                time.sleep(pause)
                pause = min(2 * pause, 0.1)

    def _look(self) -> tuple[int, int] | None:
        """The lock that is there now; None if it was released."""
        try:
            found = os.lstat(self._lock_file)
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns

    def _break(self, seen: tuple[int, int] | None) -> None:
        if self._look() == seen:
            with suppress(RuntimeError):  # somebody else did
                self.release()

    @contextmanager
    def hold(self) -> Iterator[None]:
        self.acquire()
        try:
            yield
        finally:
            with suppress(RuntimeError):  # we were so slow that somebody broke it
                self.release()


def _record(line: bytes) -> Json | None:
    """The record of a line, or the one that the start of another was glued to; None if the line is damaged."""
    start = line.rfind(START)
    if start > 0 and not _is_start(line[:start]):
        return None
    try:
        found = json.loads(line[max(0, start) :])
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and "op_code" in found else None


def _is_start(piece: bytes) -> bool:
    """True if a record may begin like this and was cut short: a whole one, whose line end is gone, was not."""
    if not (piece.startswith(START) or START.startswith(piece)):
        return False
    try:
        json.JSONDecoder().raw_decode(piece.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return True
    return False


def _damaged(file: Path, line: int) -> InputError:
    return InputError(
        f"line {line} of {file} is damaged: it holds no record",
        "restore the file from a copy; without that line later trials would bear the results of others",
    )


def _whole(file: Path) -> int:
    """Bytes up to the end of the last finished line."""
    with file.open("rb") as stream:
        end = stream.seek(0, os.SEEK_END)
        tail, place = b"", end
        while place > 0 and b"\n" not in tail:
            place = max(0, place - 65536)
            stream.seek(place)
            tail = stream.read(65536)
        return place + tail.rfind(b"\n") + 1
