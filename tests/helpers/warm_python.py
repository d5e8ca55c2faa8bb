"""Python processes that begin at once: forked from a server that has imported what the commands need.

`start` and `run` take what stands after `python` on a command line: -m search …, -c CODE …, or a script. A command that
loads torch and transformers spends five seconds of a core on importing them, and one on taking them apart at its end.
What must begin as a user's process begins (imports, the main module) belongs to `subprocess`.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Literal, NoReturn, TextIO

SEARCH = ("search.cli.studies", "search.commands.search", "search.confirmation.confirm", "optuna.storages._rdb.storage")
LIBRARIES = (  # none asks the environment where the hub is, nor whether there is a terminal, as it is imported
    *("optuna.storages._rdb.storage", "pandas", "pyarrow.parquet", "pydantic", "rich.progress", "typer"),
    *("scipy.optimize", "torch", "torch._dynamo", "torch.distributed.tensor"),
)
ENCODERS = ("datasets", "realign.training.checkpoint", "realign.realign_and_transfer", "realign.tasks.tagging")
Loaded = Literal["search", "encoders", "libraries"]
MODULES: dict[Loaded, tuple[str, ...]] = {
    "search": SEARCH,  # for a rehearsal
    "encoders": (*LIBRARIES, *SEARCH, *ENCODERS),  # where an encoder is trained
    "libraries": LIBRARIES,  # where the environment says where the hub is, or output goes to a terminal
}
MODELS = ("BertModel", "XLMRobertaModel", "PreTrainedTokenizerFast")  # transformers loads them when they are asked for


class Process:
    """A process of the server; to be used as a `subprocess.Popen` with text on pipes."""

    def __init__(self, pid: int, status: int, stdout: TextIO, stderr: TextIO) -> None:
        self.pid, self.stdout, self.stderr = pid, stdout, stderr
        self.returncode: int | None = None
        self._status = status

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.wait()
        self._close()

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self._status], [], [], 0)[0]:
            self.wait()
        return self.returncode

    def wait(self) -> int:
        if self.returncode is None:
            self.returncode = int(os.read(self._status, 16))
            os.close(self._status)
        return self.returncode

    def communicate(self, timeout: float = 500) -> tuple[str, str]:
        """All that it wrote to stdout and stderr, once it has ended; nothing the second time. Killed when late."""
        if self.stdout.closed:
            return "", ""
        late = threading.Timer(timeout, self.kill)
        late.daemon = True
        late.start()
        errors: list[str] = []
        reader = threading.Thread(target=lambda: errors.append(self.stderr.read()), daemon=True)
        reader.start()
        output = self.stdout.read()
        reader.join()
        self.wait()
        late.cancel()
        self._close()
        return output, errors[0]

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _close(self) -> None:
        self.stdout.close()
        self.stderr.close()


def start(*words: object, env: Mapping[str, str], cwd: Path | None = None, loaded: Loaded = "search") -> Process:
    """`python WORDS` in an environment and a folder, from a server that has `loaded` so much."""
    request = {"words": [str(word) for word in words], "env": dict(env), "cwd": str(cwd or Path.cwd())}
    ends = [os.pipe() for _ in range(3)]  # of stdout, of stderr, and of the exit status
    with open(os.devnull) as nothing:
        pid = _server(loaded)(request, [nothing.fileno(), *(end for _, end in ends)])
    for _, end in ends:
        os.close(end)
    return Process(pid, ends[2][0], *(open(end, encoding="utf-8") for end, _ in ends[:2]))


def run(
    *words: object, env: Mapping[str, str], cwd: Path | None = None, loaded: Loaded = "search"
) -> subprocess.CompletedProcess[str]:
    """The same to its end."""
    with start(*words, env=env, cwd=cwd, loaded=loaded) as process:
        output, errors = process.communicate()
    return subprocess.CompletedProcess(words, process.wait(), output, errors)


@cache
def _server(loaded: Loaded) -> Callable[[object, list[int]], int]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, __file__, str(theirs.fileno()), *MODULES[loaded]]
    environment, nothing = {**os.environ, "OMP_NUM_THREADS": "1"}, subprocess.DEVNULL
    process = subprocess.Popen(command, env=environment, pass_fds=[theirs.fileno()], stdin=nothing, stdout=nothing)
    theirs.close()

    def fork(request: object, ends: list[int]) -> int:
        socket.send_fds(ours, [json.dumps(request).encode()], ends)
        return int(ours.recv(16))

    @atexit.register
    def end() -> None:
        ours.close()  # it hears that
        process.wait()

    return fork


def _serve(connection: socket.socket) -> list[str] | None:
    """Fork at each request. Returns in the new process, with its words; and at the end, with None."""
    signal.signal(signal.SIGCHLD, lambda *_: None)
    heard, bell = os.pipe()
    os.set_blocking(bell, False)
    signal.set_wakeup_fd(bell)
    statuses: dict[int, int] = {}  # process → where its exit status goes
    while True:
        ready, _, _ = select.select([connection, heard], [], [])
        if heard in ready:
            os.read(heard, 512)
            _report(statuses)
        if connection not in ready:
            continue
        request, ends, _, _ = socket.recv_fds(connection, 1 << 20, 4)
        if not request:
            return None
        pid = os.fork()
        if not pid:
            return _become(json.loads(request), ends, [connection.detach(), heard, bell, *statuses.values()])
        statuses[pid] = ends.pop()
        for end in ends:
            os.close(end)
        connection.send(str(pid).encode())


def _report(statuses: dict[int, int]) -> None:
    for pid in list(statuses):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            end = statuses.pop(pid)
            os.write(end, str(os.waitstatus_to_exitcode(status)).encode())
            os.close(end)


def _become(request: dict[str, object], ends: list[int], servers: list[int]) -> list[str]:
    """Leave nothing of the server but its modules."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, end in enumerate(ends[:3]):
        os.dup2(end, number)
    for end in (*ends, *servers):
        os.close(end)
    os.environ.clear()
    os.environ.update(request["env"])  # type: ignore[arg-type]
    os.chdir(str(request["cwd"]))
    return list(request["words"])  # type: ignore[call-overload]


def _act(words: list[str]) -> None:
    """As `python WORDS`."""
    first, *rest = words
    sys.path[0] = "" if first.startswith("-") else str(Path(first).parent)
    sys.path[1:1] = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path not in ("", *sys.path)]
    if first == "-m":
        sys.argv = rest
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    elif first == "-c":
        sys.argv = ["-c", *rest[1:]]
        sys.modules["__main__"] = main = ModuleType("__main__")
        exec(compile(rest[0], "<string>", "exec"), main.__dict__)
    else:
        sys.argv = words
        runpy.run_path(first, run_name="__main__")


def _end(words: list[str]) -> NoReturn:
    """Act, and end as Python does, but without taking all modules apart: that takes a second."""
    status = 1
    try:
        _act(words)
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    for module in sys.argv[2:]:
        import_module(module)
    if "datasets" in sys.argv:
        for model in MODELS:
            getattr(import_module("transformers"), model)
    elif "search.cli.studies" not in sys.argv:
        assert not {"huggingface_hub", "search", "realign"} & set(sys.modules)
    gc.freeze()  # no collection in a process looks at, and so copies, what is here already
    arguments = _serve(socket.socket(fileno=int(sys.argv[1])))
    if arguments is not None:
        _end(arguments)
