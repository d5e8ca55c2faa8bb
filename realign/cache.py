"""Location of the cache, and files that are written completely or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def cache_root() -> Path:
    """Folder of everything that can be computed again: REALINGO_CACHE, else XDG_CACHE_HOME/realingo."""
    if own := os.environ.get("REALINGO_CACHE"):
        return Path(own)
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache") / "realingo"


def write_text(file: Path, text: str) -> None:
    """Write `text` to `file` in UTF-8, completely or not at all. OSError as the system raises it."""
    write_bytes(file, text.encode("utf-8"))


def write_bytes(file: Path, content: bytes) -> None:
    """Write `content` to `file` completely or not at all: no reader, and no run after a crash, ever sees half of it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        # mkstemp makes the file private; a result is as readable as any other file of the user
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextmanager
def draft_of(file: Path) -> Iterator[Path]:
    """Context with a path beside `file` to write to; at the end it replaces `file`, flushed to disk, unless something
    failed.

    For one writer at a time. OSError as the system raises it.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.part")
    try:
        yield draft
        with draft.open("rb") as written:
            os.fsync(written.fileno())
        os.replace(draft, file)
    finally:
        with suppress(OSError):
            draft.unlink()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
