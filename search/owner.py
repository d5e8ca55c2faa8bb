"""Who is working on a study: the identity of a process that survives in a record, and one driver at a time."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from realign.wrap import cache_root
from selector.errors import RunError


def me() -> dict[str, Any]:
    """Host, process id and start time: a process id alone is given out again after a restart."""
    return {"host": socket.gethostname(), "pid": os.getpid(), "started": _started(os.getpid())}


def gone(owner: Mapping[str, Any]) -> bool:
    """True if the process is known to have ended. Of another host nothing is known, so it is taken to live."""
    if owner.get("host") != socket.gethostname():
        return False
    pid = int(owner.get("pid", 0))
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return bool(_started(pid) != owner.get("started"))


@contextmanager
def only_driver(storage: str, name: str) -> Iterator[None]:
    """Hold the study for this process; RunError if another one on this host drives it."""
    file = _lock_file(storage, name)
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(file)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise RunError(
            f"study '{name}' is being searched by another process",
            "wait for it or stop it; 'realingo status' shows how far it is; --workers N runs several trials at a time",
        ) from None
    try:
        yield
    finally:
        lock.release()


def _lock_file(storage: str, name: str) -> Path:
    """In the cache, not beside the study: the storage may be a server, and its folder is the user's."""
    return cache_root() / "locks" / f"{hashlib.sha256(f'{storage} {name}'.encode()).hexdigest()[:24]}.lock"


def _started(pid: int) -> str | None:
    """Start of the process (Linux), None where that cannot be read; a process that only waits to be reaped has none."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2]
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
    state, *fields = after_name.split()
    return None if state == "Z" else f"{boot}:{fields[18]}"
