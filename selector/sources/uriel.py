"""URIEL's data files as lang2vec ships them, each indexed by its own row order; the only reader of them.

lang2vec's module itself is never imported (it needs a setuptools that is gone, and re-reads its files on every call).
Source: lang2vec 1.1.2, the URIEL typological database (Littell et al. 2017), data CC-BY-SA-4.0.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selector.errors import InputError

PREFIXES = {"syntactic": "S_", "phonological": "P_", "inventory": "INV_"}
KNN, AVERAGE = "knn", "average"
_SOURCES = {"ethnologue": "ETHNO"}  # our name of a source → the label in features.npz; the others in capitals
_MISSING = -1.0  # how the files mark a value that no source gives
_ON_EARTH = 0.9  # least length of a position fitted to URIEL's angles; where it has no coordinates the fit is near 0


@dataclass(frozen=True)
class Sheet:
    """Features of one group as one source gives them, for every language of URIEL."""

    row: dict[str, int]  # code → row
    names: tuple[str, ...]  # [d]
    values: NDArray[np.float32]  # [7970, d]; 0.0 where nothing is observed, except in the kNN-completed ones
    observed: NDArray[np.bool_]  # [7970, d]
    seen: NDArray[np.intp]  # [7970], how many features of the row were observed


@dataclass(frozen=True)
class _Layer:
    row: dict[str, int]
    names: tuple[str, ...]  # [289]
    values: NDArray[np.float32]  # [7970, 289]
    observed: NDArray[np.bool_]  # [7970, 289]


@cache
def sheet(group: str, source: str = KNN) -> Sheet:
    """Features of one `group` from one `source`: `knn` (completed), `average` (of all sources), or a single one.

    InputError: URIEL has no such source, or the source has no features of this group.
    """
    layer = _layer(source)
    keep = [i for i, name in enumerate(layer.names) if name.startswith(PREFIXES[group])]
    observed = layer.observed[:, keep]
    if not observed.any():
        raise InputError(f"the source '{source}' has no {group} features", _having(group))
    names = tuple(layer.names[i] for i in keep)
    return Sheet(layer.row, names, layer.values[:, keep], observed, observed.sum(axis=1))


def sources() -> tuple[str, ...]:
    """Names of all sources: `knn`, `average` and URIEL's single sources."""
    ours = {label: name for name, label in _SOURCES.items()}
    labels = [str(label) for label in _array("features.npz", "sources")]
    return (KNN, AVERAGE, *(ours.get(label, label.lower()) for label in labels))


def _having(group: str) -> str:
    """Hint that lists the sources with features of the group."""
    data, prefix = _array("features.npz", "data"), PREFIXES[group]
    keep = [i for i, name in enumerate(_array("features.npz", "feats")) if str(name).startswith(prefix)]
    single = [
        name for name, any_ in zip(sources()[2:], (data[:, keep] != _MISSING).any(axis=(0, 1)), strict=True) if any_
    ]
    return f"{group} features come from {', '.join((KNN, AVERAGE, *single))}"


@cache
def _layer(source: str) -> _Layer:
    if source not in sources():
        raise InputError(f"URIEL has no source '{source}'", f"sources are {', '.join(sources())}")
    if source == KNN:
        return _complete_layer()
    if source == AVERAGE:
        row, names, values = _values("feature_averages.npz", 0)
    else:
        row, names, values = _values("features.npz", sources().index(source) - 2)
    observed = values != _MISSING
    return _Layer(row, names, np.where(observed, values, np.float32(0.0)), observed)


def _complete_layer() -> _Layer:
    """kNN-completed values; observed is what any source gives, with rows and columns in the same order."""
    row, names, values = _values("feature_predictions.npz", 0)
    seen = _layer(AVERAGE)
    order = [seen.row[code] for code in row]
    place = {name: i for i, name in enumerate(seen.names)}
    return _Layer(row, names, values, seen.observed[order][:, [place[name] for name in names]])


def _values(file: str, source: int) -> tuple[dict[str, int], tuple[str, ...], NDArray[np.float32]]:
    """Code → row, feature names [289] and values [7970, 289] of one source of a file."""
    archive = _load(file)
    values = np.ascontiguousarray(archive["data"][:, :, source], dtype=np.float32)
    return _index(archive["langs"]), tuple(map(str, archive["feats"])), values


@cache
def paths() -> dict[str, tuple[str, ...]]:
    """Code → nodes of the family tree from root to leaf: a node that more languages share is nearer to the root."""
    tree = _load("family_features.npz")
    row, node = np.nonzero(tree["data"][:, :, 0] > 0)  # of (7970, 3718)
    names = [str(name).removeprefix("F_") for name in tree["feats"]]
    sizes = np.bincount(node, minlength=len(names))
    order = np.lexsort((node, -sizes[node], row))  # equal size: URIEL's own order, parents first
    listed = [str(code) for code in tree["langs"]]
    found: dict[str, list[str]] = {code: [] for code in listed}
    for i, place in zip(row[order], node[order], strict=True):  # row by row, each from root to leaf
        found[listed[i]].append(names[place])
    return {code: tuple(nodes) for code, nodes in found.items()}


@cache
def node_sizes() -> dict[str, int]:
    """Node of the family tree → number of rows of URIEL below it."""
    sizes: dict[str, int] = {}
    for path in paths().values():
        for node in path:
            sizes[node] = sizes.get(node, 0) + 1
    return sizes


@cache
def geographic_positions() -> tuple[dict[str, int], NDArray[np.float64]]:
    """Rows by code, and every language's place as a unit vector from the centre of the earth [7970, 3]; NaN if unknown.

    URIEL gives great-circle distances to 299 fixed points, as shares of half the equator; the cosine of the angle
    to a point is linear in the position, so least squares recovers it.
    """
    data = _load("geocoord_features.npz")
    degrees = np.array([[float(x) for x in str(name).split("_")[1:]] for name in data["feats"]])  # latitude, longitude
    latitude, longitude = np.radians(degrees).T
    flat = np.cos(latitude)
    points = np.stack([flat * np.cos(longitude), flat * np.sin(longitude), np.sin(latitude)], axis=1)  # (299, 3)
    angles = np.pi * data["data"][:, :, 0].astype(np.float64)  # (7970, 299)
    fitted = np.cos(angles) @ np.linalg.pinv(points).T  # (7970, 3)
    length = np.linalg.norm(fitted, axis=1, keepdims=True)
    return _index(data["langs"]), np.where(length > _ON_EARTH, fitted / length, np.nan)


@cache
def translation_vectors() -> tuple[dict[str, int], NDArray[np.float64]]:
    """Rows by code and vectors [1017, 512] learned by a neural translation model (Malaviya et al. 2017).

    The file is a pickled dictionary with a stray entry `langs`, which is left out.
    """
    with _find("learned.npy").open("rb") as stream:
        version = np.lib.format.read_magic(stream)
        if version != (1, 0):
            raise InputError(f"learned.npy is of version {version}", "install lang2vec==1.1.2")
        np.lib.format.read_array_header_1_0(stream)
        table = _Arrays(stream).load().item()
    codes = sorted(code for code in table if code != "langs")
    return _index(codes), np.array([table[code] for code in codes], dtype=np.float64)


class _Arrays(pickle.Unpickler):
    """Unpickler that admits arrays, their types, and containers: no other name in the file can be called."""

    _ADMITTED: dict[tuple[str, str], Callable[..., Any]] = {  # noqa: RUF012
        ("numpy.core.multiarray", "_reconstruct"): np._core.multiarray._reconstruct,  # type: ignore[attr-defined]
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("_codecs", "encode"): lambda text, encoding: text.encode("latin1"),
    }

    def find_class(self, module_name: str, global_name: str) -> Any:
        if (module_name, global_name) not in self._ADMITTED:
            raise InputError(
                f"learned.npy names {module_name}.{global_name}, which no array needs", "reinstall lang2vec"
            )
        return self._ADMITTED[module_name, global_name]


def _index(codes: Any) -> dict[str, int]:
    return {str(code): i for i, code in enumerate(codes)}


def _load(name: str) -> dict[str, Any]:
    with np.load(_find(name)) as archive:
        return {key: archive[key] for key in archive.files}


def _array(name: str, key: str) -> NDArray[Any]:
    with np.load(_find(name)) as archive:
        array: NDArray[Any] = archive[key]
        return array


def _find(name: str) -> Path:
    """Path of a file of lang2vec, found by its distribution.

    Its wheel also installs a *script* lang2vec.py next to ours, which hides the package from every import made by an
    installed command.
    """
    try:
        path = Path(str(metadata.distribution("lang2vec").locate_file(f"lang2vec/data/{name}")))
    except metadata.PackageNotFoundError:
        path = Path()
    if not path.is_file():
        raise InputError(
            f"URIEL's file {name} is missing: typological features need the package lang2vec",
            "install it with: pip install lang2vec==1.1.2",
        )
    return path
