"""optuna-dashboard on a study, with notes and figures that name languages.

optuna-dashboard itself knows only parameters and numbers. What it reads goes through `search.dashboard.view`, what a
browser asks through `search.dashboard.guard`. Before it is served the best trials get notes that name their subsets;
the others get theirs while it is served, new ones as they finish. Trials are never touched.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socketserver import ThreadingMixIn
from threading import Event, Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.types import WSGIApplication

from search.config.study_config import StudyConfig
from search.dashboard import notes
from search.dashboard.guard import for_this_machine, loopback, read_only, without_buttons
from search.dashboard.view import StudyView
from search.interrupts import Interrupts
from search.report import html_report
from search.study.storage import check_writable
from search.study.study import Study, open_study
from search.terminal import out, progress, remark
from selector.errors import InputError

REFRESH_SECONDS = 20.0


def serve(config: StudyConfig, host: str, port: int) -> None:
    """Save notes, then serve until interrupted. `port` 0 takes a free one.

    InputError where optuna-dashboard is not installed, the study does not exist or its storage takes no notes, or the
    address cannot be bound.
    """
    notes.installed()
    check_writable(config.storage)
    study = open_study(config, create=False)
    with listening(host, port) as server:
        story = html_report.gather(config, study)
        with progress() as advance:
            notes.annotate(study, story, advance, notes.AT_FIRST)
        view = StudyView(study.storage, study.storage.get_study_id_from_name(study.name), notes.about(story))
        board = application(view)
        server.set_app(for_this_machine(board) if loopback(host) else board)
        with Interrupts() as interrupts, refreshing(config, study, view), suppress(KeyboardInterrupt):
            _announce(study, host, server.server_port)
            with interrupts.welcome():
                server.serve_forever()


def application(view: StudyView) -> WSGIApplication:
    """optuna-dashboard on a study, for reading."""
    app: WSGIApplication = notes.installed().wsgi(view)
    return read_only(without_buttons(app))


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True  # a browser that keeps its connection open must not keep us from ending

    def server_bind(self) -> None:
        """As inherited, without looking the host up in the DNS."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that hangs up in the middle is no news."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@contextmanager
def listening(host: str, port: int) -> Iterator[_Server]:
    """A server bound to the address, closed at the end; InputError where it cannot be bound."""
    if not 0 <= port <= 65535:
        raise InputError(f"port {port} does not exist", "take one between 1 and 65535, or 0 for a free one")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        kind = type("Server", (_Server,), {"address_family": family})
        server = kind((host, port), _Quiet)
    except OSError as problem:
        raise InputError(
            f"cannot listen on {host}, port {port}: {problem.strerror or problem}",
            "choose another port with --port, or 0 for a free one",
        ) from None
    with server:
        yield server


@contextmanager
def refreshing(config: StudyConfig, study: Study, view: StudyView) -> Iterator[None]:
    """Write the notes that are missing, then keep them and the view up to date while a search runs elsewhere."""
    end = Event()

    def check(what: str, done: int, total: int) -> None:
        if end.is_set():
            raise _EndedError

    def refresh() -> None:
        told, pause = min(len(notes.finished(study)), notes.AT_FIRST), 0.0
        while not end.wait(pause):
            pause = REFRESH_SECONDS
            try:
                if (now := len(notes.finished(study))) != told:
                    story = html_report.gather(config, study)
                    view.about = notes.about(story)
                    notes.annotate(study, story, check)
                    told = now
            except _EndedError:
                return
            except Exception as problem:  # the page stays as it is; the storage may answer next time
                remark(f"notes not refreshed: {problem}")

    worker = Thread(target=refresh, daemon=True)
    worker.start()
    try:
        yield
    finally:
        end.set()
        worker.join()  # never leave in the middle of a write


class _EndedError(Exception):
    """Nobody looks any more."""


def _announce(study: Study, host: str, port: int) -> None:
    if not loopback(host):
        remark(
            f"warning: the dashboard has no login, and {host} can be reached from other machines: everybody there can "
            "read this study and write notes. Safer: leave --host out and tunnel with ssh -L"
        )
    shown = f"[{host}]" if ":" in host else host
    page = study.storage.get_study_id_from_name(study.name)
    out.print(f"http://{shown}:{port}/dashboard/studies/{page}", markup=False, highlight=False)
    remark("Ctrl-C ends it.")
