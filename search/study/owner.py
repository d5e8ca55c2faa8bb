"""The identity of a process that works on a study, in a form that survives in a record."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path

from search.results.json_reader import Json


@dataclass(frozen=True)
class Owner:
    """A process that works on a study, so that it is known again: an id alone is given out again after a restart."""

    host: str = ""
    place: str | None = None  # running system and space of process ids; None in records of an older version
    pid: int = 0
    started: str | None = None  # when the process did; None where that cannot be read
    token: str = ""  # of its lease; "" without one
    beat: int | None = None  # signs of life so far, in the record of a lease

    def to_json(self) -> Json:
        """As it is kept in a study; what is not known is left out."""
        place = {} if self.place is None else {"place": self.place}
        document: Json = {"host": self.host, **place, "pid": self.pid, "started": self.started}
        document |= {"token": self.token} if self.token else {}
        return document | ({} if self.beat is None else {"beat": self.beat})

    @classmethod
    def from_json(cls, given: Mapping[str, object] | None) -> Owner | None:
        """Owner in the attribute `given`; None where nobody is recorded."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in given.items() if name in known}) if given else None  # type: ignore[arg-type]

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"

    @property
    def is_near(self) -> bool:
        """True if it runs on this machine; records of an older version have only the host's name."""
        return self.host == socket.gethostname() and self.place in (None, _place())

    @property
    def has_ended(self) -> bool:
        """True if it is known to have ended. Of another machine nothing is known, so it is taken to live."""
        if not self.is_near:
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass
        return _start_of(self.pid) != self.started


def this_process() -> Owner:
    """The process that asks."""
    return _this_process(os.getpid())


@lru_cache(maxsize=1)
def _this_process(pid: int) -> Owner:
    return Owner(socket.gethostname(), _place(), pid, _start_of(pid))


def _place() -> str:
    """A running system and its space of process ids: two machines, or two containers, may bear one name."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
        return f"{boot}:{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return ""


def _start_of(pid: int) -> str | None:
    """Start of the process (Linux), None where that cannot be read; a process that only waits to be reaped has none."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2]
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
    state, *fields = after_name.split()
    return None if state == "Z" else f"{boot}:{fields[18]}"
