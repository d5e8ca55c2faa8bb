"""Large parquet files on the hub: their list, and the reading of a part of one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

from realign.hub.blocks import ParquetPart, local_part


def large_files(builder: Any, commit: str, least: int) -> Mapping[str, list[list[Any]]] | None:
    """Split → names and bytes of its parquet files, where these have at least `least` bytes together; else None.

    `builder` is one of `datasets` that knows its files and has downloaded none; `commit` is the commit to read.
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
    """Names and bytes of those files of `names` that the repository has at `commit`."""
    from huggingface_hub import HfApi

    entries: list[Any] = HfApi().get_paths_info(repository, list(names), repo_type="dataset", revision=commit)
    return [[entry.path, entry.size] for entry in entries if hasattr(entry, "size")]


def part(repository: str, commit: str, name: str, size: int, cache: Path) -> ParquetPart:
    """File `name` at `commit`, from the hub's cache if it was downloaded once, else block by block into `cache`."""
    from huggingface_hub import try_to_load_from_cache

    whole = try_to_load_from_cache(repository, name, repo_type="dataset", revision=commit)
    if isinstance(whole, str):
        return local_part(Path(whole))
    key = hashlib.sha256("\n".join((repository, commit, name)).encode()).hexdigest()[:24]
    return ParquetPart(partial(_open, repository, commit, name, size), cache / key)


def _open(repository: str, commit: str, name: str, size: int) -> BinaryIO:
    """File that reads only the ranges that are asked for, by requests."""
    from huggingface_hub import HfFileSystem

    path = f"datasets/{repository}@{commit}/{name}"
    return cast(BinaryIO, HfFileSystem().open(path, "rb", cache_type="none", size=size))
