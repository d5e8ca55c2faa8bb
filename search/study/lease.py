"""Who is working on a study: the identity of a process that survives in a record, and one driver at a time.

On one machine a file lock keeps a second driver out at once, and a dead one is seen from its process id. Across
machines the study itself carries a lease.
"""

from __future__ import annotations

import hashlib
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from threading import Event, Thread
from typing import Any
from uuid import uuid4

from filelock import FileLock, Timeout

from realign.cache import cache_root
from search.terminal import remark
from selector.errors import RunError

BEAT = 20.0  # seconds between two signs of life of a driver
SILENCE = 70.0  # seconds without one after which a driver that cannot be looked at counts as dead
HINT = "wait for it or stop it; 'realingo status' shows how far it is; --workers N runs several trials at a time"


def me() -> dict[str, Any]:
    """Machine, process id and start time: a process id alone is given out again after a restart."""
    return dict(_me(os.getpid()))


@lru_cache(maxsize=1)
def _me(pid: int) -> Mapping[str, Any]:
    return {"host": socket.gethostname(), "place": _place(), "pid": pid, "started": _started(pid)}


def near(owner: Mapping[str, Any]) -> bool:
    """True if the process runs on this machine; records of an older version have only the host's name."""
    return bool(owner.get("host") == socket.gethostname() and owner.get("place", _place()) == _place())


def has_ended(owner: Mapping[str, Any]) -> bool:
    """True if the process is known to have ended. Of another machine nothing is known, so it is taken to live."""
    if not near(owner):
        return False
    pid = int(owner.get("pid", 0))
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return bool(_started(pid) != owner.get("started"))


class Lease:
    """The right to drive a study, on any machine: a record in the study itself, which its holder renews.

    A lock of the database would hold on a server only, a file lock on one machine only; a record holds wherever the
    study can be read. It names its holder and counts its signs of life. Clocks are never compared: who wants the study
    watches for a while, by its own monotonic clock, whether the count moves. Two that take it at the same moment both
    write, and the earlier one finds at its next record that it is not the holder, and stops.
    """

    def __init__(
        self,
        read: Callable[[], Mapping[str, Any]],
        write: Callable[[Mapping[str, Any]], None],
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
        holder = dict(self._read())
        mine = (holder.get("pid"), holder.get("started")) == (os.getpid(), _started(os.getpid()))  # not given back
        if (
            holder
            and not mine
            and not has_ended(holder)
            and (near(holder) or not (force or self._silent(holder, name)))
        ):
            raise RunError(f"study '{name}' is being searched by {describe_owner(holder)}", HINT)
        self._write({**me(), "token": self.token, "beat": 0})
        self._thread.start()

    def held(self) -> bool:
        return self._read().get("token") == self.token

    def give_back(self) -> None:
        """Leave no record of a holder, unless there is another one by now."""
        self._end.set()
        self._thread.join()  # never leave in the middle of a write
        with suppress(Exception):  # a storage that is away: the next driver sees that this process has ended
            if self.held():
                self._write({})

    def _silent(self, holder: Mapping[str, Any], name: str) -> bool:
        remark(
            f"study '{name}' was last driven by {describe_owner(holder)}: "
            f"waiting {self._silence:.0f} s to see if that process still runs"
        )
        begun = time.monotonic()
        while time.monotonic() - begun < self._silence:
            time.sleep(min(self._seconds, self._silence) / 4)
            if (now := self._read()) != holder:
                return not now  # given back
        return True

    def _beat(self) -> None:
        count = 0
        while not self._end.wait(self._seconds):
            with suppress(Exception):  # the storage may answer next time
                if not self.held():
                    return
                count += 1
                self._write({**me(), "token": self.token, "beat": count})


def describe_owner(owner: Mapping[str, Any]) -> str:
    return f"process {owner.get('pid')} on {owner.get('host')}"


@contextmanager
def only_driver(storage: str, name: str) -> Iterator[None]:
    """Hold the study for this process, before its storage is opened; RunError if another one on this host has it."""
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


def _place() -> str:
    """A running system and its space of process ids: two machines, or two containers, may bear one name."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
        return f"{boot}:{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return ""


def _started(pid: int) -> str | None:
    """Start of the process (Linux), None where that cannot be read; a process that only waits to be reaped has none."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2]
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
    state, *fields = after_name.split()
    return None if state == "Z" else f"{boot}:{fields[18]}"
