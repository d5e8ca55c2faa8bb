"""Files of a data folder: their languages, their hashes, their lines. Errors name the line."""

from __future__ import annotations

import gzip
import hashlib
import logging
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import NoReturn, get_args

from realign.corpora.corpus import Split
from realign.corpora.file_names import FilesByLanguage, Item, language_of, treebank_of
from selector.errors import InputError, NoDataError

VARIABLE = "REALINGO_DATA"
SPLITS: tuple[Split, ...] = get_args(Split)
BYTE_ORDER_MARK = "\ufeff"
CARRIAGE = "end lines with a line feed, and put a blank where a carriage return stands inside a text"
CODES = "with any code of the language, such as deu, de or deu_Latn"

log = logging.getLogger("realingo.data")


def fail(message: str, hint: str) -> NoReturn:
    raise InputError(message, hint)


def find_folder(text: str, base: Path) -> Path:
    """Data folder that a study file names with `text`: relative to `base` (the file's folder), else under
    $REALINGO_DATA.

    `{data}/…` is under $REALINGO_DATA only; an absolute path (or `~/…`) is used as it is. InputError: no such folder;
    the message names every place that was tried.
    """
    inside = text.removeprefix("{data}").lstrip("/")
    places = [] if text.startswith("{data}") else [base / os.path.expanduser(text)]
    root = os.environ.get(VARIABLE)
    shared = not os.path.isabs(os.path.expanduser(text))
    if root and shared:
        places.append(Path(root).expanduser() / inside)
    for place in places:
        if text and os.path.isdir(place):
            return place
    tried = [str(place) for place in places] + ([f"${VARIABLE}/{inside} (not set)"] if shared and not root else [])
    message = f"there is no data folder '{text}'; looked for {' and '.join(tried)}"
    raise InputError(message, f"set {VARIABLE} to the folder that holds '{inside}'" if shared else "correct the path")


def parse_split(split: str) -> Split:
    """Return `split` as a Split. InputError: there is no split of that name."""
    return split if split in SPLITS else fail(f"there is no split '{split}'", f"splits are {', '.join(SPLITS)}")


def files_by_language(folder: Path, suffix: str, required: bool = True) -> FilesByLanguage[Path]:
    """Individual ISO 639-3 code → file `<code><suffix>[.gz]` of `folder`, sorted by code; any code that a pool accepts.

    An individual code has priority over its macrolanguage's, and a plain file over a compressed one. Two other files of
    one language are an InputError when it is looked up; so is, if `required`, a folder without any.
    """
    stems = {name.removesuffix(suffix): path for name, path in files_by_name(folder).items() if name.endswith(suffix)}
    files = FilesByLanguage.of((language, path) for stem, path in stems.items() if (language := language_of(stem)))
    if required and not files:
        fail(f"no data in {folder}", f"files are named <code>{suffix} or <code>{suffix}.gz, {CODES}")
    return files


def treebanks(folder: Path, split: str) -> FilesByLanguage[Path]:
    """Treebanks of one `split`: `<code>.<split>.conllu`, or in the names of Universal Dependencies, in `folder` itself
    (`de_gsd-ud-dev.conllu`) or in folders `UD_…` of it.
    """
    suffix = f"-ud-{split}.conllu"
    with reading(folder):
        folders = [folder, *sorted(path for path in folder.glob("UD_*") if path.is_dir())]
    released = [
        (language, path)
        for each in folders
        for name, path in files_by_name(each).items()
        if name.endswith(suffix) and (language := treebank_of(name.removesuffix(suffix)))
    ]
    return files_by_language(folder, f".{split}.conllu", required=False).merge(FilesByLanguage.of(released))


def files_by_name(folder: Path) -> dict[str, Path]:
    """Files of `folder` by their names without .gz, sorted; a plain file has priority over a compressed one."""
    if not folder.is_dir():
        fail(f"there is no data folder {folder}", f"give a folder that exists, or set {VARIABLE}")
    with reading(folder):
        paths = sorted(folder.iterdir(), reverse=True)  # de.txt.gz before de.txt: the later one of a name stays
    names = {path.name for path in paths}
    for name in sorted(name for name in names if name.endswith(".gz") and name.removesuffix(".gz") in names):
        _tell_twin(folder / name)
    return dict(sorted({path.name.removesuffix(".gz"): path for path in paths}.items()))


@cache
def _tell_twin(packed: Path) -> None:
    """Warn once that a compressed file is not read because a plain file of its name, maybe with other text, exists."""
    log.warning("%s is not read: %s is in the same folder", packed, packed.stem)


def one(files: Mapping[str, Item], language: str, what: str) -> Item:
    if language in files:
        return files[language]
    raise NoDataError(f"there is no {what} for '{language}'", f"there is data for: {', '.join(files) or 'none'}")


StampedPath = tuple[Path, tuple[int, int]]  # a path with what changes when the file does


def with_stamp(path: Path) -> StampedPath:
    """`path` with its size and time: the key under which a process remembers what it read from the file."""
    with reading(path):
        status = path.stat()
    # another file of the same size may be put in its place, and its time with it
    return path, (status.st_mtime_ns, hash((status.st_size, status.st_ino, status.st_ctime_ns)))


def sign_files(form: str, paths: Iterable[Path]) -> str:
    """`form` and 16 hex digits of SHA-256 over names and bytes of the files at `paths`, wherever they lie."""
    found = {path: _digest(*with_stamp(path)) for path in paths}
    _signed.update(found)
    rows = sorted(f"{path.name} {digest}" for path, digest in found.items())
    return f"{form}:{hashlib.sha256(chr(10).join(rows).encode()).hexdigest()[:16]}"


_signed: dict[Path, str] = {}


def digests() -> dict[Path, str]:
    """Files that were signed in this process, with the SHA-256 of each at its last signature."""
    return dict(_signed)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Context that turns errors of the system into an InputError with the name of `path`."""
    try:
        yield
    except OSError as problem:
        fail(f"cannot read {path}: {problem.strerror or problem}", "check that it is there and that you may read it")


@cache
def _digest(path: Path, _stamp: tuple[int, int]) -> str:
    with reading(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fail_at_line(path: Path, number: int, problem: str, hint: str = "correct or remove the line") -> NoReturn:
    raise InputError(f"{path}, line {number}: {problem}", hint)


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines of the file at `path`, without their ends.

    Only a line feed ends a line, no other Unicode separator.
    """
    number = 0
    with reading(path), gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        try:
            for number, raw in enumerate(file, start=1):
                yield number, decode_line(path, number, raw)
        except (EOFError, zlib.error, gzip.BadGzipFile) as problem:
            fail_at_line(path, number + 1, f"damaged gzip file ({problem})", "fetch or compress the file again")


def decode_line(path: Path, number: int, raw: bytes) -> str:
    """Text of the line `raw` with `number`, without its end, and of the first line without a byte order mark.

    InputError, with `path`: bytes that are not UTF-8, or characters that no text has.
    """
    try:
        line = raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
    except UnicodeDecodeError as problem:
        fail_at_line(
            path, number, f"not UTF-8 ({problem.reason} at byte {problem.start + 1})", "save the file as UTF-8"
        )
    if "\r" in line:
        fail_at_line(path, number, "a carriage return stands alone in it", CARRIAGE)
    if line.startswith(BYTE_ORDER_MARK):
        fail_at_line(path, number, "a byte order mark", "remove it: it seems that files were joined here")
    if "\0" in line:
        fail_at_line(path, number, "a character NUL", "save the file as UTF-8: it may be UTF-16, or damaged")
    return line
