"""Loading of data sets from the hub: configurations through `datasets`, plain files through `huggingface_hub`.

A set that was loaded once loads again offline, at the same commit. `datasets` alone does not promise that: offline it
looks folders up under another name than online, and takes the newest of several revisions. So a note beside its cache
has the place of each configuration. No code of a repository is run. Large parquet files are read by blocks, large line
files by lines.
"""

from __future__ import annotations

import gc
import hashlib
import json
import logging
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

from realign.cache import write_text
from realign.hub import remote
from realign.hub.blocks import LARGE, BlockRows, local_part
from realign.hub.builders import builder_of
from realign.hub.line_rows import open_rows
from realign.hub.problems import HubRequest, UnreachableError
from realign.hub.rows import Rows, TableRows
from realign.hub.sets import Spec
from selector.errors import InputError, NoDataError

log = logging.getLogger(__name__)

Files = Mapping[str, list[list[Any]]]  # split → names and bytes of its files


def configuration(spec: Spec, config: str, language: str) -> Mapping[str, Rows]:
    """All splits of the configuration `config` of a data set. `language` is for messages.

    NoDataError: there is no such configuration; InputError: it cannot be loaded.
    """
    return _load(HubRequest(spec.id, config, spec.revision, language, spec.home, spec.folders))


def file(spec: Spec, name: str, language: str) -> Rows:
    """Rows of the plain file `name` of the repository, or of the folder that stands for it. `language` is for messages.

    NoDataError: there is no such file.
    """
    if spec.path is not None:
        path = Path(spec.path) / name
        if not path.is_file():
            raise NoDataError(f"there is no {path}", f"leave {language} out, or correct path or files")
        status = path.stat()
        return _local(path, (status.st_mtime_ns, status.st_size))
    request = HubRequest(spec.id, name, spec.revision, language, spec.home)
    rows = _large_file(request) if name.endswith(".parquet") else None
    if rows is not None:
        return rows
    path = _download(request)
    return _whole(path, path.parents[name.count("/")].name)  # …/snapshots/<commit>/<name>


@cache
def _whole(path: Path, origin: str) -> Rows:
    return open_rows(path, origin)


@cache
def _local(path: Path, stamp: tuple[int, int]) -> Rows:
    try:
        with path.open("rb") as stream:
            origin = hashlib.file_digest(stream, "sha256").hexdigest()[:16]
    except OSError as problem:
        raise InputError(f"cannot read {path}: {problem.strerror or problem}", "check that you may read it") from None
    if path.suffix == ".parquet" and stamp[1] >= LARGE:
        return BlockRows((local_part(path),), origin, partial(_damage_error, path))
    return open_rows(path, origin)


def _damage_error(path: Path, problem: Exception) -> InputError:
    return InputError(f"{path.name} is not a complete parquet file ({problem})", "download it again")


@cache
def _download(request: HubRequest) -> Path:
    from huggingface_hub import _CACHED_NO_EXIST, hf_hub_download, try_to_load_from_cache
    from huggingface_hub.utils import disable_progress_bars

    disable_progress_bars()
    place: Any = {"repo_id": request.repository, "filename": request.config, "repo_type": "dataset"}
    place["revision"] = request.revision
    try:
        return Path(hf_hub_download(**place))
    except Exception as problem:  # the libraries below raise errors of many kinds
        error = request.explain(problem)
        if isinstance(error, UnreachableError) and try_to_load_from_cache(**place) is _CACHED_NO_EXIST:
            error = request.nothing()
        raise error from problem


@cache
def _large_file(request: HubRequest) -> BlockRows | None:
    """The rows of a parquet file by blocks; None for one that is not large, or not there."""
    note = _note(request)
    try:
        commit = _reach(request.repository, request.revision)
        files = {"": remote.sizes(request.repository, [request.config], commit)}
    except Exception as problem:  # the libraries below raise errors of many kinds
        if not isinstance(request.explain(problem), UnreachableError):
            return None  # the reader of small files explains the error
        known = _read_block_note(request, note)
        return known[""] if known else None
    if sum(size for _, size in files[""]) < LARGE:
        return None
    _write(note, {"commit": commit, "files": files, "features": None})
    return _blocks(request, commit, files, None)[""]


def _load(request: HubRequest) -> Mapping[str, Rows]:
    """All splits of one configuration, mapped from disk.

    Of large ones only the last is held: pages of mapped files count as memory of the process.
    """
    key = (request.repository, request.config, request.revision, request.folders)
    held = next((some for some in (_small, _large) if key in some), None)
    if held is not None:
        return held[key]
    if _large:
        _large.clear()
        gc.collect()  # rows of a selection hold each other, and with them the mapped file
    found = _fetch(request)
    small = sum(rows.table.data.nbytes for rows in found.values() if isinstance(rows, TableRows)) <= LARGE
    (_small if small else _large)[key] = found
    return found


_small: dict[tuple[str, str, str | None, bool], Mapping[str, Rows]] = {}
_large: dict[tuple[str, str, str | None, bool], Mapping[str, Rows]] = {}


def _fetch(request: HubRequest) -> Mapping[str, Rows]:
    import datasets

    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)
    note = _note(request)
    try:
        commit = _reach(request.repository, request.revision)
        if known := _read_block_note(request, note, commit):
            return known
        builder = builder_of(request)
        files = remote.large_files(builder, commit, LARGE)
        if files:
            features = builder.info.features.to_dict() if builder.info.features else None
            _write(note, {"commit": commit, "files": files, "features": features})
            return _blocks(request, commit, files, features)
        builder.download_and_prepare()
        found = builder.as_dataset()
    except Exception as problem:  # the libraries below raise errors of many kinds
        return _fall_back(request, note, problem)
    if not found or any(_commit(table) not in (commit, "empty") for table in found.values()):
        # gone from the hub: `datasets` would silently use an earlier commit
        raise request.nothing()
    _remember(note, found)
    return _rows(found)


def _fall_back(request: HubRequest, note: Path, problem: Exception) -> Mapping[str, Rows]:
    """Splits loaded before, where the hub cannot be reached; otherwise raises, and notes if the hub has no such set."""
    import datasets

    error = request.explain(problem)
    if isinstance(error, NoDataError):
        _write(note, {})
    known: Mapping[str, Rows] | None = None
    if isinstance(error, UnreachableError):
        known = _read_block_note(request, note) or _read_note(note)
    if known is None:
        raise error from problem
    if not known:
        raise request.nothing()
    if not datasets.config.HF_HUB_OFFLINE:
        log.warning("%s cannot be reached; %s is read from the cache", request.repository, request.config)
    return known


def _blocks(
    request: HubRequest, commit: str, files: Files, features: Mapping[str, Any] | None
) -> Mapping[str, BlockRows]:
    folder = _root() / "blocks"
    return {
        split: BlockRows(
            tuple(remote.part(request.repository, commit, name, size, folder) for name, size in some),
            commit,
            request.explain,
            features,
        )
        for split, some in files.items()
    }


@cache
def _reach(repository: str, revision: str | None) -> str:
    """Commit of a revision on the hub: without an answer `datasets` would take any commit that it knows."""
    from huggingface_hub import HfApi

    return str(HfApi().dataset_info(repository, revision=revision).sha)


def _root() -> Path:
    """Folder of our notes on the cache of `datasets`."""
    import datasets

    return Path(datasets.config.HF_DATASETS_CACHE) / "realingo"


def _note(request: HubRequest) -> Path:
    facts = [request.repository, request.config, request.revision, request.folders]
    return _root() / f"{hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:24]}.json"


def _remember(note: Path, found: Mapping[str, Any]) -> None:
    """Note which files of the cache hold each split, relative to the cache."""
    root = note.parent.parent
    splits = {split: [entry["filename"] for entry in table.cache_files] for split, table in found.items()}
    inside = {
        split: [Path(name).relative_to(root).as_posix() for name in names if Path(name).is_relative_to(root)]
        for split, names in splits.items()
    }
    if all(len(inside[split]) == len(splits[split]) for split in splits):
        _write(note, inside)


def _write(note: Path, facts: Mapping[str, Any]) -> None:
    """Write a note if it says something new. A note without a split says that the hub has no such set."""
    text = json.dumps(facts, sort_keys=True)
    if not note.is_file() or note.read_text(encoding="utf-8") != text:
        write_text(note, text)


def _read_note(note: Path) -> Mapping[str, Rows] | None:
    """Splits that a note names, mapped from disk; None without a note, or where the files are gone."""
    import datasets

    root = note.parent.parent
    try:
        inside = json.loads(note.read_text(encoding="utf-8"))
        return _rows(
            {
                split: datasets.concatenate_datasets([datasets.Dataset.from_file(str(root / name)) for name in names])
                for split, names in inside.items()
                if names
            }
        )
    except (OSError, ValueError, AttributeError):
        return None


def _read_block_note(request: HubRequest, note: Path, commit: str = "") -> Mapping[str, BlockRows] | None:
    """Splits that a note lists as read by blocks, of this commit or of any; None where it names none."""
    try:
        facts = json.loads(note.read_text(encoding="utf-8"))
        files, noted = dict(facts["files"]), str(facts["commit"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return _blocks(request, noted, files, facts.get("features")) if commit in ("", noted) else None


def _rows(found: Mapping[str, Any]) -> Mapping[str, Rows]:
    return {split: TableRows(table, _commit(table)) for split, table in found.items()}


def _commit(table: Any) -> str:
    return Path(table.cache_files[0]["filename"]).parent.name if table.cache_files else "empty"
