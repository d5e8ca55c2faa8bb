"""One driver of a study at a time.

On one machine a file lock keeps a second driver out at once, and a dead one is seen from its process id. Across
machines the study itself carries a lease.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from uuid import uuid4

from filelock import FileLock, Timeout

from realign.cache import cache_root
from search.study.owner import Owner, this_process
from search.terminal import remark
from selector.errors import RunError

BEAT = 20.0  # seconds between two signs of life of a driver
SILENCE = 70.0  # seconds without one after which a driver that cannot be looked at counts as dead
HINT = "wait for it or stop it; 'realingo status' shows how far it is; --workers N runs several trials at a time"


class Lease:
    """The right to drive a study, on any machine: a record in the study itself, which its holder renews.

    A lock of the database would hold on a server only, a file lock on one machine only; a record holds wherever the
    study can be read. It names its holder and counts its signs of life. Clocks are never compared: who wants the study
    watches for a while, by its own monotonic clock, whether the count moves. Two that take it at the same moment both
    write, and the earlier one finds at its next record that it is not the holder, and stops.
    """

    def __init__(
        self,
        read: Callable[[], Owner | None],
        write: Callable[[Owner | None], None],
        beat: float = BEAT,
        silence: float = SILENCE,
    ) -> None:
        self.token = uuid4().hex
        self._read, self._write = read, write
        self._seconds, self._silence = beat, silence
        self._end = Event()
        self._thread = Thread(target=self._beat, daemon=True)

    def take(self, name: str, force: bool = False) -> None:
        """RunError while another process drives the study `name`; `force` takes what cannot be looked at for dead."""
        holder, me = self._read(), this_process()
        if holder is None or (holder.pid, holder.started) == (me.pid, me.started):  # not given back
            lives = False
        else:
            lives = not holder.has_ended and (holder.is_near or not (force or self._is_silent(holder, name)))
        if lives:
            raise RunError(f"study '{name}' is being searched by {holder}", HINT)
        self._write(self._mine(0))
        self._thread.start()

    def is_ours(self) -> bool:
        """True if the record names this lease."""
        holder = self._read()
        return holder is not None and holder.token == self.token

    def give_back(self) -> None:
        """Leave no record of a holder, unless there is another one by now."""
        self._end.set()
        self._thread.join()  # never leave in the middle of a write
        with suppress(Exception):  # a storage that is away: the next driver sees that this process has ended
            if self.is_ours():
                self._write(None)

    def _is_silent(self, holder: Owner, name: str) -> bool:
        remark(
            f"study '{name}' was last driven by {holder}: "
            f"waiting {self._silence:.0f} s to see if that process still runs"
        )
        begun = time.monotonic()
        while time.monotonic() - begun < self._silence:
            time.sleep(min(self._seconds, self._silence) / 4)
            if (now := self._read()) != holder:
                return now is None  # given back
        return True

    def _beat(self) -> None:
        count = 0
        while not self._end.wait(self._seconds):
            with suppress(Exception):  # the storage may answer next time
                if not self.is_ours():
                    return
                count += 1
                self._write(self._mine(count))

    def _mine(self, beat: int) -> Owner:
        return replace(this_process(), token=self.token, beat=beat)


@contextmanager
def only_driver(storage: str, name: str) -> Iterator[None]:
    """Hold the study `name` in `storage` for this process, before the storage is opened.

    RunError: another process on this host has it.
    """
    file = _lock_file(storage, name)
    lock = FileLock(file)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise RunError(f"study '{name}' is being searched by another process", HINT) from None
    except OSError:  # a cache that cannot be written: the lease in the study itself still keeps others out
        pass
    try:
        yield
    finally:
        lock.release()


def _lock_file(storage: str, name: str) -> Path:
    """In the cache, not beside the study: the storage may be a server, and its folder is the user's."""
    return cache_root() / "locks" / f"{hashlib.sha256(f'{storage} {name}'.encode()).hexdigest()[:24]}.lock"
