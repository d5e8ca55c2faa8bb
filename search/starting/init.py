"""`realingo init`: a study file to begin with, for the embedded world, for named sets of the hub, or for a folder."""

from __future__ import annotations

import json
import os
import re
import tempfile
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realign.inputs import list_some
from search.config.study_config import load
from search.starting.recipes import recipe_for
from search.starting.study_text import FAKE, Plan, path_from, render
from search.terminal import command_line
from selector.errors import InputError, NoDataError
from selector.languages.language import parse, parse_pool
from selector.languages.pools import NAMES, WORLD_HELD_OUT, WORLD_SOURCE

if TYPE_CHECKING:
    from realign.hub.sets import Spec
    from search.starting.folder_survey import Survey
    from search.starting.places import LabelPlace, TextPlace

LONGEST_NAME = 100  # letters
MODEL = "xlm-roberta-base"
OWN_TASKS = ("pos", "ner", "classification")  # what the files of a folder can be
SCHEMA = Path("docs") / "study.schema.json"


@dataclass(frozen=True)
class InitRequest:
    """The wishes of the user; None: not said."""

    folder: Path | None = None
    model: str | None = None
    parallel: str | None = None
    task: str | None = None
    pool: str | None = None
    k: int | None = None
    source: str | None = None

    def __post_init__(self) -> None:
        for name in ("model", "parallel", "task", "pool", "source"):
            if (value := getattr(self, name)) is not None and not value.strip():
                raise InputError(f"--{name} is empty", "give it a value, or leave it out")

    @property
    def empty(self) -> bool:
        return self == InitRequest()

    @property
    def source_code(self) -> str:
        return parse(self.source or "eng").code


def init(file: Path, request: InitRequest, overwrite: bool = False) -> dict[str, Any]:
    """Write `file` and return what it holds. InputError, and nothing written: it is there, or no data fit `request`."""
    check_place(file, overwrite)
    plan, remarks = _planned(_seen_from(file.absolute().parent, request), file)
    recipe, why = recipe_for(plan.model, file.absolute().parent)
    if plan.model == FAKE:
        remarks = (*remarks, "a rehearsal: every score will be FAKE, from a formula, and no encoder is trained")
    elif not plan.of_world:
        remarks = (
            *remarks,
            f"settings for encoders of {recipe.of}: {why} (documentation, page Recipes)",
        )
    schema = _schema(file)
    text = render(plan, file.name, schema, recipe)
    try:
        _check(file, text)
        _put(file, text, schema)
    except OSError as problem:
        message = f"cannot write {file}: {problem.strerror or problem}"
        raise InputError(message, "name a file in a folder with room that you may write to") from None
    return {"study": str(file), **asdict(plan), "remarks": list(remarks), "next": command_line("check", file)}


def is_possible(request: InitRequest, file: Path) -> bool:
    """True if `init` can write a study file for the request, as far as is known without reading any data."""
    try:
        plan, _ = _planned(request, file)
    except InputError:
        return False
    given = plan.languages if isinstance(plan.languages, str) else list(plan.languages)
    return plan.k <= sum(language.code != plan.source for language in parse_pool(given))


def check_place(file: Path, overwrite: bool) -> None:
    """InputError where the file cannot be written, or would replace another unasked."""
    if file.exists() and not overwrite:
        raise InputError(f"{file} is there already", "name another file with -o, or give --yes to replace it")
    if not file.absolute().parent.is_dir():
        raise InputError(f"there is no folder {file.absolute().parent}", "make it first, or name another file with -o")


def _schema(file: Path) -> str:
    """The schema for an editor: beside the study, or in the project's folder where the study lies there too."""
    home = Path(__file__).resolve().parents[2]
    place = file.absolute().parent.resolve()
    if (home / SCHEMA).is_file() and place.is_relative_to(home):
        return Path(os.path.relpath(home / SCHEMA, place)).as_posix()
    return SCHEMA.name


def render_init(document: Mapping[str, Any]) -> str:
    """Lines on what was written, what is missing, and the next command."""
    asked = f"which {document['k']} of {_count(document['languages'])} are best for {document['kind']}"
    lines = [f"{document['study']} is written; it asks {asked}"]
    return "\n".join([*lines, *document["remarks"], f"next: {document['next']}"])


def _count(languages: str | tuple[str, ...]) -> str:
    return f"the pool {languages}" if isinstance(languages, str) else f"{len(languages)} languages"


def _name_of(file: Path) -> str:
    """A name for the study, after its file: what a name cannot hold is left out or becomes a hyphen."""
    plain = unicodedata.normalize("NFKD", file.stem).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9._-]+", "-", plain).strip("._-")[:LONGEST_NAME] or "study"


def _planned(request: InitRequest, file: Path) -> tuple[Plan, tuple[str, ...]]:
    if request.folder is not None:
        return _from_folder(request, file)
    name, source = _name_of(file), request.source_code
    own_data = request.parallel in (None, "world") and request.task in (None, "world")
    if own_data and request.model in (None, "world", FAKE):
        pool, k = request.pool or "world", 4 if request.k is None else request.k
        out, model = WORLD_HELD_OUT if pool == "world" else (), request.model or "world"
        if model == "world":
            _check_world(pool, source)
        return Plan(name, pool, source, k, "pool", out, model, '"world"', "pos", '"world"'), ()
    return _from_hub(request, name)


def _check_world(pool: str, source: str) -> None:
    """InputError where the world does not have the languages."""
    hint = "for other languages give --model, --parallel and --task, or --from-folder"
    spoken = {*(language.code for language in parse_pool("world")), *WORLD_HELD_OUT, WORLD_SOURCE}
    if lost := [language.code for language in parse_pool(pool) if language.code not in spoken]:
        raise InputError(f"the world does not speak {list_some(lost)}", hint)
    if source != WORLD_SOURCE:
        raise InputError(f"the world labels training sentences in {WORLD_SOURCE} alone, not in {source}", hint)


def _check_reader(request: InitRequest, hint: str) -> None:
    """InputError where the encoder of the world is to read something else."""
    if request.model == "world":
        raise InputError("the encoder 'world' reads the embedded world alone", hint)


def _seen_from(home: Path, request: InitRequest) -> InitRequest:
    """The request with the file of a pool and the folder of an encoder as a study in `home` names them: a path in a
    study file begins there, one that is typed begins in the working folder."""
    pool, model = request.pool, request.model
    if home == Path.cwd():
        return request
    if pool is not None and "," not in pool and pool not in NAMES and Path(pool).is_file():
        pool = pool if Path(pool).is_absolute() else path_from(home, Path(pool))
    if model is not None and model not in ("world", FAKE) and Path(model).is_dir():
        model = model if Path(model).is_absolute() else path_from(home, Path(model))
    return replace(request, pool=pool, model=model)


def _from_hub(request: InitRequest, name: str) -> tuple[Plan, tuple[str, ...]]:
    from realign.hub import sets

    _check_reader(request, "give --model MODEL, or neither --parallel nor --task")
    kind, task = _task(request.task)
    text = request.parallel or "opus-100"
    needed = (sets.find_set(text, "parallel"), sets.load_sets()[task])
    pool, lost = _served(request.pool or "paper-65", request.source_code, needed)
    k = min(10, 10 if isinstance(pool, str) else len(pool)) if request.k is None else request.k
    parts = (f"{{name = {json.dumps(text)}}}", kind, f"{{name = {json.dumps(task)}}}")
    plan = Plan(name, pool, request.source_code, k, "pool", (), request.model or MODEL, *parts)
    left = f"left out of the pool, because {text} or {task} has no such language: {', '.join(lost)}"
    later = "no language is held out: name some in targets.held_out to see what the choice does for others"
    return plan, ((left,) if lost else ()) + (later, "nothing was fetched: check looks at the data itself")


def _served(pool: str, source: str, needed: tuple[Spec, ...]) -> tuple[str | tuple[str, ...], list[str]]:
    """The pool, or those of it that every set may have, and those that one is known to lack."""

    def lacks(code: str) -> bool:
        try:
            for spec in needed:
                spec.check(source, code)
        except NoDataError:
            return True
        return False

    codes = [language.code for language in parse_pool(pool) if language.code != source]
    lost = [code for code in codes if lacks(code)]
    if len(lost) == len(codes):
        raise InputError(f"no language of --pool is in both {needed[0].id} and {needed[1].id}", "take other sets")
    return (tuple(code for code in codes if code not in lost) if lost else pool), lost


def _from_folder(request: InitRequest, file: Path) -> tuple[Plan, tuple[str, ...]]:
    from search.starting.folder_survey import survey

    assert request.folder is not None
    if request.parallel is not None or request.task not in (None, *OWN_TASKS):
        hint = f"leave out --parallel; --task may be {', '.join(OWN_TASKS)}"
        raise InputError("--from-folder takes text and labels from the folder alone", hint)
    _check_reader(request, "give --model MODEL, or no --from-folder")
    found = survey(request.folder, request.source_code, request.task)
    if request.pool is None:
        found = found.with_held_out()
    pool, left_out = _pool(request, found)
    k = proposed_size(len(pool)) if request.k is None else request.k
    tuned = tuple(code for code in found.tuned if code in pool)
    if not tuned:
        raise InputError(f"no language with parallel text in {request.folder} has a dev and a test set", "add one")
    tune = "pool" if tuned == pool else tuned
    text, data = (_listed(each, file.absolute().parent) for each in (found.texts, found.sets))
    told = [f"parallel text: {each.kind} in {each.folder.name}: {', '.join(each.languages)}" for each in found.texts]
    alone = () if found.held_out else ("no language is held out: to see how others fare, move some from the pool",)
    plan = Plan(
        _name_of(file), pool, found.source, k, tune, found.held_out, request.model or MODEL, text, found.task, data
    )
    remarks = found.remarks(None if request.pool is None else pool)
    return plan, (*told, *remarks, *left_out, *alone)


def proposed_size(languages: int) -> int:
    """The number of languages to choose where nothing was said: a third, at least two of three and at most ten."""
    return max(min(2, languages - 1), min(10, round(languages / 3)), 1)


def _listed(places: Sequence[TextPlace | LabelPlace], home: Path) -> str:
    """The folders in TOML: one, or a list. A folder beside the study file or below is named from there."""

    def to_toml(each: TextPlace | LabelPlace) -> str:
        path = json.dumps(path_from(home, each.folder), ensure_ascii=False)
        return f"{{kind = {json.dumps(each.kind)}, folder = {path}}}"

    parts = [to_toml(each) for each in places]
    return parts[0] if len(parts) == 1 else "[\n    " + ",\n    ".join(parts) + ",\n]"


def _pool(request: InitRequest, found: Survey) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The languages wished for that the folder can serve, and a remark on those it cannot."""
    if request.pool is None:
        return found.pool, ()
    wished = [language.code for language in parse_pool(request.pool) if language.code != found.source]
    pool = tuple(code for code in wished if code in found.pool)
    missing = [code for code in wished if code not in found.pool]
    if not pool:
        hint = f"with both are {', '.join(found.pool) or 'none'}"
        raise InputError(f"no language of --pool has parallel text and a test set in {found.folder}", hint)
    left = f"of --pool left out, because there is no parallel text or no test set: {', '.join(missing)}"
    return pool, (left,) if missing else ()


def _task(name: str | None) -> tuple[str, str]:
    """The kind of task, and the name of its set."""
    from realign.hub import sets

    name = name or "udpos"
    if name in sets.load_sets() and sets.load_sets()[name].tasks[0] != "parallel":
        return str(sets.load_sets()[name].tasks[0]), name
    others = sorted(each for each, spec in sets.load_sets().items() if spec.tasks[0] != "parallel")
    raise InputError(f"there is no task set '{name}'", f"known are {', '.join(others)}; a folder: --from-folder DIR")


def _check(file: Path, text: str) -> None:
    """InputError where the text is no study, said of the file that it was to be."""
    handle, draft = tempfile.mkstemp(suffix=".toml", prefix=".init-", dir=file.absolute().parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        load(Path(draft))
    except InputError as problem:
        message, hint = (
            text.replace(draft, str(file)).replace(Path(draft).name, file.name)
            for text in (problem.message, problem.hint)
        )
        raise InputError(message, hint) from None
    finally:
        os.unlink(draft)


def _put(file: Path, text: str, schema: str) -> None:
    """Write the study, and the schema that it names where that lies beside it."""
    from realign.cache import write_text
    from search.config.reference import schema_text

    if schema == SCHEMA.name:
        write_text(file.absolute().parent / schema, schema_text())
    write_text(file, text)
