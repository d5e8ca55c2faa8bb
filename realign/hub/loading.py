"""Getting a data set from the hub: configurations through `datasets`, plain files through `huggingface_hub`.

What was loaded once loads again offline, at the same commit. `datasets` alone does not promise that: offline it looks
folders up under another name than online, and takes the newest of several revisions. So where each configuration lies
in its cache is written down beside it. No code of a repository is run.
"""

from __future__ import annotations

import gc
import hashlib
import json
import logging
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from realign.cache import write_text
from realign.hub.rows import FileRows, Rows, TableRows, read
from realign.hub.sets import Spec
from selector.errors import InputError, NoDataError

log = logging.getLogger(__name__)

LARGE = 1 << 25  # bytes of a configuration
OFFLINE = ("ConnectionError", "ConnectError", "OfflineModeIsEnabled", "LocalEntryNotFoundError", "ConnectTimeout")


class UnreachableError(InputError):
    """The hub cannot be asked, and what is wanted was not got before."""


def configuration(spec: Spec, config: str, language: str) -> Mapping[str, Rows]:
    """All splits of one configuration. NoDataError: it is not among those there are; InputError: anything else."""
    found = _load(spec.id, config, spec.revision, spec.folders, language, spec.home)
    return {split: TableRows(table, _commit(table)) for split, table in found.items()}


def file(spec: Spec, name: str, language: str) -> FileRows:
    """The rows of one plain file, of the repository or of the folder that stands for it. NoDataError: there is none."""
    if spec.path is not None:
        path = Path(spec.path) / name
        if not path.is_file():
            raise NoDataError(f"there is no {path}", f"leave {language} out, or correct path or files")
        status = path.stat()
        return _local(path, (status.st_mtime_ns, status.st_size))
    path = _download(spec.id, name, spec.revision, language, spec.home)
    return _whole(path, path.parents[name.count("/")].name)  # …/snapshots/<commit>/<name>


@cache
def _whole(path: Path, origin: str) -> FileRows:
    return read(path, origin)


@cache
def _local(path: Path, _stamp: tuple[int, int]) -> FileRows:
    try:
        return read(path, hashlib.sha256(path.read_bytes()).hexdigest()[:16])
    except OSError as problem:
        raise InputError(f"cannot read {path}: {problem.strerror or problem}", "check that you may read it") from None


@cache
def _download(repository: str, name: str, revision: str | None, language: str, home: str) -> Path:
    from huggingface_hub import _CACHED_NO_EXIST, hf_hub_download, try_to_load_from_cache
    from huggingface_hub.utils import disable_progress_bars

    disable_progress_bars()
    try:
        return Path(hf_hub_download(repository, name, repo_type="dataset", revision=revision))
    except Exception as problem:  # the libraries below raise of every kind
        error = _explained(problem, repository, name, language, home)
        known = try_to_load_from_cache(repository, name, repo_type="dataset", revision=revision)
        if isinstance(error, UnreachableError) and known is _CACHED_NO_EXIST:
            error = NoDataError(*_nothing(f"{repository} on the hub", name, language, home))
        raise error from problem


def _load(
    repository: str, config: str, revision: str | None, folders: bool, language: str, home: str
) -> Mapping[str, Any]:
    """All splits of one configuration, mapped from disk. Of large ones only the last is held: pages of files that are
    mapped count as memory of the process.
    """
    key = (repository, config, revision, folders)
    held = next((some for some in (_small, _large) if key in some), None)
    if held is not None:
        return held[key]
    if _large:
        _large.clear()
        gc.collect()  # rows of a selection hold each other, and with them the mapped file
    found = _fetch(repository, config, revision, folders, language, home)
    small = sum(table.data.nbytes for table in found.values()) <= LARGE
    (_small if small else _large)[key] = found
    return found


_small: dict[tuple[str, str, str | None, bool], Mapping[str, Any]] = {}
_large: dict[tuple[str, str, str | None, bool], Mapping[str, Any]] = {}


def _fetch(
    repository: str, config: str, revision: str | None, folders: bool, language: str, home: str
) -> Mapping[str, Any]:
    import datasets

    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)
    note = _note(repository, config, revision, folders)
    try:
        commit = _reach(repository, revision)
        where = {"data_dir": config} if folders else {"name": config}
        found = datasets.load_dataset(repository, revision=revision, **where)
    except Exception as problem:  # the libraries below raise of every kind
        error = _explained(problem, repository, config, language, home)
        if isinstance(error, NoDataError):
            _remember(note, {})
        if not isinstance(error, UnreachableError) or (known := _recalled(note)) is None:
            raise error from problem
        if not datasets.config.HF_HUB_OFFLINE:
            log.warning("%s cannot be reached: %s is read from the cache", repository, config)
        found, commit = known, ""
    stale = commit and any(_commit(table) not in (commit, "empty") for table in found.values())
    if stale or not found:
        # not there any more: `datasets` takes what an earlier commit had, and does not say so
        raise NoDataError(*_nothing(f"{repository} on the hub", config, language, home))
    if commit:
        _remember(note, found)
    return dict(found)


@cache
def _reach(repository: str, revision: str | None) -> str:
    """The commit of a revision as the hub has it: without an answer `datasets` would take any commit that it knows."""
    from huggingface_hub import HfApi

    return str(HfApi().dataset_info(repository, revision=revision).sha)


def _note(repository: str, config: str, revision: str | None, folders: bool) -> Path:
    import datasets

    key = hashlib.sha256(json.dumps([repository, config, revision, folders]).encode()).hexdigest()[:24]
    return Path(datasets.config.HF_DATASETS_CACHE) / "realingo" / f"{key}.json"


def _remember(note: Path, found: Mapping[str, Any]) -> None:
    """Write down which files of the cache hold each split, relative to the cache. No split: it is not on the hub."""
    root = note.parent.parent
    splits = {split: [entry["filename"] for entry in table.cache_files] for split, table in found.items()}
    inside = {
        split: [Path(name).relative_to(root).as_posix() for name in names if Path(name).is_relative_to(root)]
        for split, names in splits.items()
    }
    if not all(len(inside[split]) == len(splits[split]) for split in splits):
        return
    text = json.dumps(inside, sort_keys=True)
    if not note.is_file() or note.read_text(encoding="utf-8") != text:
        write_text(note, text)


def _recalled(note: Path) -> dict[str, Any] | None:
    """The splits that a note names, mapped from disk; None without a note, or where they are not there any more."""
    import datasets

    root = note.parent.parent
    try:
        inside = json.loads(note.read_text(encoding="utf-8"))
        return {
            split: datasets.concatenate_datasets([datasets.Dataset.from_file(str(root / name)) for name in names])
            for split, names in inside.items()
            if names
        }
    except (OSError, ValueError, AttributeError):
        return None


def _commit(table: Any) -> str:
    return Path(table.cache_files[0]["filename"]).parent.name if table.cache_files else "empty"


def _kinds(problem: BaseException) -> set[str]:
    """Names of the classes of a problem and of what caused it."""
    names: set[str] = set()
    seen: BaseException | None = problem
    while seen is not None:
        names |= {kind.__name__ for kind in type(seen).__mro__}
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return names


def _explained(problem: Exception, repository: str, config: str, language: str, home: str) -> InputError:
    """What went wrong in loading, in a line, with a way out."""
    text, kinds = str(problem), _kinds(problem)
    first = (text.strip().splitlines() or [type(problem).__name__])[0]
    what = f"{repository} on the hub"
    by_hand = ""
    if home:
        by_hand = f"get its text from {home}" + ("" if "kind =" in home else " and give that folder as path")
    if "GatedRepoError" in kinds or "gated dataset" in text.lower():
        return InputError(f"{what} is gated: its owners want to be asked", "ask on its page, then: hf auth login")
    if "scripts are no longer supported" in text:
        hint = by_hand or 'try revision = "refs/convert/parquet", folders = true'
        return InputError(f"{what} comes as a program, which is never run", hint)
    if "RevisionNotFoundError" in kinds or ("evision" in text and "doesn't exist" in text):
        hint = by_hand or "correct data.revision: a branch, a tag or a commit of its page"
        return InputError(f"{what} has no such revision: {first}", hint)
    if kinds & set(OFFLINE):
        hint = "go online once; check the network, HF_HUB_OFFLINE and HF_ENDPOINT"
        return UnreachableError(f"cannot reach {what}, and {language} ({config}) is not in the cache", hint)
    if kinds & {"RepositoryNotFoundError"} or _no_repository(text, kinds):
        return InputError(f"there is no {what}, or you may not see it", "check data.id; a private one: hf auth login")
    absent = kinds & {"DataFilesNotFoundError", "EmptyDatasetError", "EntryNotFoundError"}
    if absent or "BuilderConfig" in text or "find cache for" in text:  # looked for there once the hub has not got it
        return NoDataError(*_nothing(what, config, language, home))
    return InputError(f"cannot read {what} for {language} ({config}): {first}", "the download may be broken: try again")


def _nothing(what: str, config: str, language: str, home: str) -> tuple[str, str]:
    hint = f"leave {language} out, or set data.names" + (f"; other text is at {home}" if home else "")
    return f"{what} has nothing for {language} ('{config}')", hint


def _no_repository(text: str, kinds: set[str]) -> bool:
    return "DatasetNotFoundError" in kinds and "doesn't exist on the Hub" in text
