"""`realingo init`: a study file to begin with, for the embedded world, for named sets of the hub, or for a folder."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.config.study_config import load
from search.starting.study_text import Plan, render
from selector.errors import InputError
from selector.languages.language import parse_pool

if TYPE_CHECKING:
    from search.starting.folder_survey import Survey

MODEL = "xlm-roberta-base"
WORLD_HELD_OUT = ("ekk", "npi", "xho", "arb", "cmn", "kat", "quy", "tam")


@dataclass(frozen=True)
class Wish:
    """What the user asked for; None: not said."""

    folder: Path | None = None
    model: str | None = None
    parallel: str | None = None
    task: str | None = None
    pool: str | None = None
    k: int | None = None
    source: str = "eng"

    @property
    def empty(self) -> bool:
        return all(getattr(self, name) is None for name in ("folder", "model", "parallel", "task", "pool", "k"))


def init(file: Path, wish: Wish, overwrite: bool = False) -> dict[str, Any]:
    """Write `file` and tell what it holds. InputError, and nothing written: it is there, or the wish does not fit."""
    if file.exists() and not overwrite:
        raise InputError(f"{file} is there already", "name another file with -o, or give --yes to replace it")
    if not file.absolute().parent.is_dir():
        raise InputError(f"there is no folder {file.absolute().parent}", "make it first, or name another file with -o")
    plan, remarks = _planned(wish, file.stem)
    text = render(plan, file.name)
    _check(file, text)
    _put(file, text)
    return {"study": str(file), **asdict(plan), "remarks": list(remarks), "next": f"realingo check {file}"}


def render_init(document: Mapping[str, Any]) -> str:
    """What was written, what is missing, and the next command."""
    lines = [f"{document['study']}: the best {document['k']} of {_count(document['languages'])}, {document['kind']}"]
    return "\n".join([*lines, *document["remarks"], f"next: {document['next']}"])


def _count(languages: str | tuple[str, ...]) -> str:
    return f"the pool {languages}" if isinstance(languages, str) else f"{len(languages)} languages"


def _planned(wish: Wish, name: str) -> tuple[Plan, tuple[str, ...]]:
    if wish.folder is not None:
        return _from_folder(wish, name)
    if wish.model in (None, "world") and wish.parallel in (None, "world") and wish.task in (None, "world"):
        pool = wish.pool or "world"
        out = WORLD_HELD_OUT if pool == "world" else ()
        return Plan(name, pool, wish.source, wish.k or 4, "pool", out, "world", '"world"', "pos", '"world"'), ()
    kind, data = _task(wish.task)
    text = _named("parallel", wish.parallel or "opus-100")
    pool = wish.pool or "paper-65"
    plan = Plan(name, pool, wish.source, wish.k or 10, "pool", (), wish.model or MODEL, text, kind, data)
    return plan, ("not looked at here: whether every language of the pool is in these sets; check does so",)


def _from_folder(wish: Wish, name: str) -> tuple[Plan, tuple[str, ...]]:
    from search.starting.folder_survey import survey

    assert wish.folder is not None
    if wish.parallel is not None or wish.task is not None:
        raise InputError(
            "--from-folder takes text and treebanks from the folder alone", "leave out --parallel and --task"
        )
    if wish.model == "world":
        raise InputError(
            "the encoder 'world' reads the embedded world alone", "give --model MODEL, or no --from-folder"
        )
    found = survey(wish.folder, wish.source)
    assert found.parallel is not None
    pool, left_out = _pool(wish, found)
    k = wish.k or max(1, min(10, round(len(pool) / 3)))
    tuned = tuple(code for code in found.tuned if code in pool)
    if not tuned:
        raise InputError(f"no language with parallel text in {wish.folder} has a dev and a test treebank", "add one")
    tune = "pool" if tuned == pool else tuned
    kind, folder = found.parallel
    text = f"{{kind = {json.dumps(kind)}, folder = {json.dumps(folder)}}}"
    data = f'{{kind = "conllu", folder = {json.dumps(found.treebanks)}}}'
    alone = (
        () if found.held_out else ("no language is held out: to see how others fare, move some from the pool there",)
    )
    said = (f"parallel text: {kind}, {', '.join(found.translated)}", *found.remarks, *left_out, *alone)
    return Plan(name, pool, wish.source, k, tune, found.held_out, wish.model or MODEL, text, "pos", data), said


def _pool(wish: Wish, found: Survey) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The languages wished for that the folder can serve, and a remark on those it cannot."""
    if wish.pool is None:
        return found.pool, ()
    wished = [language.code for language in parse_pool(wish.pool) if language.code != wish.source]
    pool = tuple(code for code in wished if code in found.pool)
    missing = [code for code in wished if code not in found.pool]
    if not pool:
        hint = f"with both are {', '.join(found.pool) or 'none'}"
        raise InputError(f"no language of --pool has parallel text and a test treebank in {found.folder}", hint)
    left = f"of --pool left out, for want of parallel text or a test treebank: {', '.join(missing)}"
    return pool, (left,) if missing else ()


def _task(name: str | None) -> tuple[str, str]:
    """The kind of task and its data, in TOML."""
    from realign.hub import sets

    name = name or "udpos"
    if name in sets.known() and sets.known()[name].tasks[0] != "parallel":
        return str(sets.known()[name].tasks[0]), f"{{name = {json.dumps(name)}}}"
    others = sorted(each for each, spec in sets.known().items() if spec.tasks[0] != "parallel")
    raise InputError(f"there is no task set '{name}'", f"known are {', '.join(others)}; a folder: --from-folder DIR")


def _named(task: str, name: str) -> str:
    from realign.hub import sets

    sets.named(name, task)
    return f"{{name = {json.dumps(name)}}}"


def _check(file: Path, text: str) -> None:
    """InputError where the text is no study, said of the file that it was to be."""
    handle, draft = tempfile.mkstemp(suffix=".toml", prefix=".init-", dir=file.absolute().parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        load(Path(draft))
    except InputError as problem:
        raise InputError(
            problem.message.replace(draft, str(file)).replace(Path(draft).name, file.name), problem.hint
        ) from None
    finally:
        os.unlink(draft)


def _put(file: Path, text: str) -> None:
    from realign.cache import write_text

    write_text(file, text)
