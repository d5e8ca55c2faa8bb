"""optuna-dashboard on a study, with notes and figures that name languages (the one importer of optuna_dashboard).

The dashboard itself knows only parameters and numbers. Before it is served the study gets the report's headline and
figures, and the best trials notes that name their subsets; the others get theirs while it is served, new ones as they
finish. Trials are never touched: notes and figures lie beside them, and what a reader adds below our text is kept.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from socketserver import ThreadingMixIn
from threading import Event, Thread
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import optuna

from search.config.study_config import StudyConfig
from search.interrupts import Interrupts
from search.pages.templates import plain, quoted
from search.report import html_report
from search.report.html_report import Story
from search.results.words import joined, percent, points
from search.study.study import Study, open_study
from search.study.trial import Trial
from search.terminal import Advance, out, progress, remark
from selector.errors import InputError

YOURS = "*Written by Realingo from the study. What you add below this line is kept.*"
SHOWN = 5  # best and worst languages named in a note
REFRESH_SECONDS = 20.0
AT_FIRST = 20  # trials, the best, whose notes are written before the page is there
NOTE_PATH = re.compile(r"/api/studies/\d+(/\d+)?/note")
IMPORTANCE_PATH = re.compile(r"/api/studies/\d+/param_importances")
NO_IMPORTANCE = b'{"param_importances": [[]]}'  # optuna-dashboard divides by the number of parameters: we have none
READ_ONLY = b'{"reason": "Realingo serves its study for reading: only notes can be changed here."}'
OTHER_NAME = b'{"reason": "Call this dashboard localhost or 127.0.0.1; other names need --host."}'


def serve(config: StudyConfig, host: str, port: int) -> None:
    """Save notes and figures, then serve until interrupted. `port` 0 takes a free one.

    InputError where optuna-dashboard is not installed, the study does not exist, or the address cannot be bound.
    """
    board = _installed()
    study = open_study(config, create=False)
    with listening(host, port) as server:
        with progress() as advance:
            annotate(study, html_report.gather(config, study), advance, AT_FIRST)
        board_app = read_only(board.wsgi(study.storage))
        server.set_app(for_this_machine(board_app) if loopback(host) else board_app)
        with Interrupts() as interrupts, _refreshing(config, study), suppress(KeyboardInterrupt):
            _announce(study, host, server.server_port)
            with interrupts.welcome():
                server.serve_forever()


def annotate(
    study: Study, story: Story, advance: Advance = lambda what, done, total: None, most: int | None = None
) -> None:
    """Write the notes and figures of a study into its storage; what already says the same is left alone.

    Notes of `most` trials, the best (None: of all). `advance` hears of each before it is written: the first time a note
    costs several writes, some 50 ms on SQLite.
    """
    board = _installed()
    sampler = optuna.samplers.RandomSampler(0)  # never asked
    handle = optuna.load_study(study_name=study.name, storage=study.storage, sampler=sampler)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        handle.set_metric_names(["Search score"])
    kept = _Kept(study.storage.get_study_system_attrs(handle._study_id))
    if note := kept.changed(None, study_note(story)):
        board.save_note(handle, note)
    for plot in story.plots.values():
        if kept.figures.get(plot.name) != plot.titled().to_json():
            board.save_plotly_graph_object(handle, plot.titled(), graph_object_id=plot.name)
    names = {each.code: each.name for each in (*story.config.pool, *story.config.tune)}
    finished = sorted(_finished(study), key=lambda trial: -(trial.value or 0.0))[:most]
    for done, trial in enumerate(finished):
        advance("notes", done, len(finished))
        if done and done % AT_FIRST == 0:  # somebody may be writing one
            kept = _Kept(study.storage.get_study_system_attrs(handle._study_id))
        key = study.storage.get_trial_id_from_study_id_trial_number(handle._study_id, trial.number)
        if note := kept.changed(key, trial_note(trial, names)):
            board.save_note(optuna.trial.Trial(handle, key), note)
    advance("notes", len(finished), len(finished))


class _Kept:
    """What the storage holds already, read for many trials: the public functions read it again for each."""

    def __init__(self, attributes: Mapping[str, object]) -> None:
        from optuna_dashboard import _custom_plot_data, _note

        self._attributes = attributes
        self._read = _note.get_note_from_system_attrs
        self.figures = _custom_plot_data.get_plotly_graph_objects(attributes)

    def changed(self, key: int | None, body: str) -> str | None:
        """The note of a trial (None: of the study) with our part renewed above the reader's own.

        None where it is as it should be, or where our marker is gone: then the note is the reader's alone.
        """
        before = self._read(self._attributes, key)["body"]
        _, marker, theirs = before.partition(YOURS)
        if before and not marker:
            return None
        after = f"{body}\n\n{YOURS}{theirs}"
        return after if after != before else None


def study_note(story: Story) -> str:
    """The headline, the comparisons, and how to read the dashboard, in Markdown."""
    against = [
        f"- against {each.against}: **{points(each.difference)}** ({each.details}; {each.verdict})"
        for each in story.verdict.comparisons
    ]
    confirm = quoted(f"realingo confirm {story.config.path.name}")
    status = (
        "Confirmed on fresh seeds and test splits:"
        if story.confirmation is not None
        else f"Not confirmed yet: run {confirm} for fresh seeds and baselines."
    )
    reading = (
        "Each trial realigns the encoder on one subset of languages and scores it on the languages the search may see. "
        "The note of a trial names its subset. Read the figures below the charts; the built-in importance chart "
        "ranks parameters, and a subset is not a parameter, so it stays empty."
    )
    warning = [f"**{plain(story.unlearned)}.**", ""] if story.unlearned else []
    head = (f"## {plain(story.headline)}", "", *warning, plain(story.verdict.trials), "", status, "", *against)
    return "\n".join((*head, "", "### How to read this", "", reading))


def trial_note(trial: Trial, names: Mapping[str, str]) -> str:
    """Which languages a trial realigned on, what it scored, and where it did well and badly, in Markdown."""
    who = [f"{plain(each.name)} (`{each.code}`)" for each in trial.subset]
    order = sorted(trial.per_language, key=lambda code: (-trial.per_language[code], code))

    def told(codes: Iterable[str]) -> str:
        return ", ".join(f"{plain(names.get(code, code))} {percent(trial.per_language[code])}" for code in codes)

    lines = [
        f"## {percent(trial.value or 0)} % · {len(trial.subset)} languages",
        f"**Realigned on:** {joined(who, most=100)}",
        f"**Proposed by:** {plain(trial.origin)}",
        f"**Best transfer, %:** {told(order[:SHOWN])}" if order else "",
        f"**Worst transfer, %:** {told(order[: -SHOWN - 1 : -1])}" if len(order) > SHOWN else "",
        f"Signature {quoted(trial.signature)}, {trial.seconds:.1f} s" if trial.signature else "",
    ]
    return "\n\n".join(line for line in lines if line)


def read_only(inner: WSGIApplication) -> WSGIApplication:
    """The dashboard without its buttons that delete or tell: it has no login, and the study is the only record."""

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if IMPORTANCE_PATH.fullmatch(path):
            return _answer(start_response, "200 OK", NO_IMPORTANCE)
        if method in ("GET", "HEAD") or (method == "PUT" and NOTE_PATH.fullmatch(path)):
            return inner(environ, start_response)
        return _answer(start_response, "403 Forbidden", READ_ONLY)

    return application


def for_this_machine(inner: WSGIApplication) -> WSGIApplication:
    """Only for those who call this machine by a loopback name: a web page may give its own name our address."""

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if loopback(_host_name(environ.get("HTTP_HOST", ""))):
            return inner(environ, start_response)
        return _answer(start_response, "421 Misdirected Request", OTHER_NAME)

    return application


def _host_name(header: str) -> str:
    """The name in a Host header, without its port; empty where it is none."""
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""


def _answer(start_response: StartResponse, status: str, body: bytes) -> list[bytes]:
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


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
def _refreshing(config: StudyConfig, study: Study) -> Iterator[None]:
    """Write the notes that are missing, then keep them and the figures up to date while a search runs elsewhere."""
    end = Event()

    def check(what: str, done: int, total: int) -> None:
        if end.is_set():
            raise _EndedError

    def refresh() -> None:
        told, pause = min(len(_finished(study)), AT_FIRST), 0.0
        while not end.wait(pause):
            pause = REFRESH_SECONDS
            try:
                if (now := len(_finished(study))) != told:
                    annotate(study, html_report.gather(config, study), check)
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


def _finished(study: Study) -> list[Trial]:
    return [trial for trial in study.trials() if trial.state == "complete"]


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


def loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _installed() -> ModuleType:
    try:
        import optuna_dashboard
    except ImportError:
        raise InputError(
            "optuna-dashboard is not installed", "install it with: pip install 'realingo[dashboard]'"
        ) from None
    return optuna_dashboard
