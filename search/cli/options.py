"""Options that several commands have, and what commands do first and last."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from search.terminal import command_line, remark
from selector.errors import InputError

if TYPE_CHECKING:
    from realign.hub.upload import Destination
    from search.config.study_config import StudyConfig
    from search.results.exported_subset import Export
    from search.results.realigned_model import RealignedModel

INTERRUPTED = 130  # exit status
Made = TypeVar("Made", "Export", "RealignedModel")

StudyFile = Annotated[Path, typer.Argument(metavar="STUDY.toml", help="The study file.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a dotted key of the study file; repeatable."),
]
Backend = Annotated[
    str | None,
    typer.Option(help="Where evaluations run: inline (the default for one), process, ray or tune.", show_default=False),
]
Address = Annotated[str, typer.Option(help="A Ray cluster to run on; without it one is started on this machine.")]
Push = Annotated[
    str | None,
    typer.Option(
        "--push",
        metavar="OWNER/NAME",
        help="Push the folder to the hub as well: private where it is new, unless --public is given. Whether you may "
        "(HF_TOKEN, or hf auth login) is looked at first.",
    ),
]
Public = Annotated[bool, typer.Option("--public", help="With --push: for everyone to see.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else.")]


def next_command(name: str, study: Path, *rest: str, overrides: list[str] | None) -> str:
    """The command that comes next, with the same `--set`, but for a password in one."""
    from search.study.storage import redact_url

    return command_line(name, study, *rest, overrides=[redact_url(override) for override in overrides or ()])


def check_destination(push: str | None, public: bool) -> Destination | None:
    """The place on the hub to push the result to; None where that is not asked for. To be called before any work."""
    if push is None:
        if public:
            raise InputError("--public says how to push, and nothing is pushed", "add --push OWNER/NAME")
        return None
    from realign.hub import upload

    return upload.check_rights(push, public)


def push_result(made: Made, place: Destination | None) -> Made:
    """Push the folder of a result to a place on the hub; the result with where it is then."""
    if place is None:
        return made
    from realign.hub import upload

    remark(f"pushing {made.path} to {place.repository}")
    return replace(made, pushed=upload.push(Path(made.path), place, "Made with realingo"))


def use_one_thread() -> None:
    """Before NumPy is loaded: on matrices this small further threads only wait, at full load, for each other."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def load_study(path: Path, overrides: list[str] | None) -> StudyConfig:
    """The study of a file with its `--set` values."""
    from search.config.study_config import load

    return load(path, overrides or [])


def announce(command: str, what: object) -> None:
    """A line at once for who waits at a terminal: loading the libraries takes seconds on some machines."""
    if sys.stderr.isatty():
        remark(f"{command}: {what}")
