"""A PostgreSQL server of our own for a test: on loopback, in a temporary folder, on a free port.

`python tests/helpers/postgres.py` starts one, prints its URL and ends it with Ctrl-C.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PASSWORD = "s3cret-m4rker"
USER = "nobody"  # the server refuses to run as root
FAST = ("-c", "fsync=off")  # a kill of the server loses nothing, since it has written; a power cut is no test


def programs() -> Path | None:
    """The folder of the newest server's programs; Debian keeps them out of the path. None where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    usual = shutil.which("initdb")
    return Path(usual).resolve().parent if usual else None


MISSING = "PostgreSQL is not installed (apt-get install postgresql)"


class Server:
    def __init__(self, folder: Path, safe: bool) -> None:
        self.folder = folder
        self._options = () if safe else FAST
        self.port = _free_port()
        self._as = {"user": USER, "group": pwd.getpwnam(USER).pw_gid} if os.geteuid() == 0 else {}
        self._process: subprocess.Popen[bytes] | None = None
        if self._as:
            os.chown(folder, pwd.getpwnam(USER).pw_uid, -1)
        secret = folder / "password"
        secret.write_text(PASSWORD)
        command = ["initdb", "-D", folder / "data", "-U", "realingo", "-A", "scram-sha-256", "--pwfile", secret, "-N"]
        self._run(*command).wait(120)

    @property
    def url(self) -> str:
        return f"postgresql://realingo:{PASSWORD}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start, or start again after a kill, and wait until it answers."""
        where = ["-D", self.folder / "data", "-k", self.folder, "-p", str(self.port), "-h", "127.0.0.1"]
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if self._process is None or self._process.poll() is not None:  # children of a killed one still end
                self._process = self._run("postgres", *where, *self._options)
            if self._run("pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)).wait(20) == 0:
                return
            time.sleep(0.1)
        raise RuntimeError(f"no server within 60 s: {(self.folder / 'log').read_text()}")

    def kill(self) -> None:
        """As a crash does it: the server and all it has started, at once."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGINT)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(60)

    def _run(self, program: str, *arguments: str | Path) -> subprocess.Popen[bytes]:
        folder = programs()
        assert folder is not None, MISSING
        with (self.folder / "log").open("ab") as log:
            command = [folder / program, *arguments]
            return subprocess.Popen(
                command, stdout=log, stderr=log, cwd=self.folder, start_new_session=True, **self._as
            )


@contextmanager
def serving(safe: bool = False) -> Iterator[Server]:
    """A fresh server; it and its folder are gone at the end. `safe` as on a server in use, for timings."""
    with tempfile.TemporaryDirectory(prefix="realingo-pg-") as folder:
        server = Server(Path(folder), safe)
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    with serving() as running:
        print(running.url, flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})
