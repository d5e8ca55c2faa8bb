"""Large parquet files on the hub: which there are, and how a part of one is read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

from realign.hub.blocks import ParquetPart, local_part


def large_files(builder: Any, commit: str, least: int) -> Mapping[str, list[list[Any]]] | None:
    """Split → names and bytes of its files, where they are of parquet and have `least` bytes together; else None.

    `builder` is one of `datasets` that knows its files and has downloaded none.
    """
    from datasets.packaged_modules.parquet.parquet import Parquet
    from huggingface_hub import HfFileSystem

    if not isinstance(builder, Parquet) or not builder.config.data_files:
        return None
    paths = HfFileSystem()
    found: dict[str, list[str]] = {}
    repository = ""
    for split, urls in builder.config.data_files.items():
        places: list[Any] = [paths.resolve_path(url) for url in urls]
        found[str(split)] = [place.path_in_repo for place in places]
        repository = places[0].repo_id if places else repository
    size = dict(sizes(repository, [name for names in found.values() for name in names], commit))
    if sum(size.values()) < least:
        return None
    return {split: [[name, size[name]] for name in names] for split, names in found.items()}


def sizes(repository: str, names: Iterable[str], commit: str) -> list[list[Any]]:
    """Names and bytes of those of the files that are there."""
    from huggingface_hub import HfApi

    entries: list[Any] = HfApi().get_paths_info(repository, list(names), repo_type="dataset", revision=commit)
    return [[entry.path, entry.size] for entry in entries if hasattr(entry, "size")]


def part(repository: str, commit: str, name: str, size: int, cache: Path) -> ParquetPart:
    """A file at a commit: whole from the hub's cache if it was once downloaded, else block by block into `cache`."""
    from huggingface_hub import try_to_load_from_cache

    whole = try_to_load_from_cache(repository, name, repo_type="dataset", revision=commit)
    if isinstance(whole, str):
        return local_part(Path(whole))
    key = hashlib.sha256("\n".join((repository, commit, name)).encode()).hexdigest()[:24]
    return ParquetPart(partial(_open, repository, commit, name, size), cache / key)


def _open(repository: str, commit: str, name: str, size: int) -> BinaryIO:
    """A file that reads what is asked for and no more, by requests for ranges of it."""
    from huggingface_hub import HfFileSystem

    path = f"datasets/{repository}@{commit}/{name}"
    return cast(BinaryIO, HfFileSystem().open(path, "rb", cache_type="none", size=size))
