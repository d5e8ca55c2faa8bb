"""The storage of a study: SQLite, a journal file, or a database server, by URL (the one importer of SQLAlchemy).

Every writer waits for a storage that is locked, full or away, for a while: what was measured is not to be lost to a
server's restart. No password leaves this file: `redact_url` and `reason` cut it out.
"""

from __future__ import annotations

import logging
import os
import re
import time
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote

import optuna
import sqlalchemy
from optuna.exceptions import DuplicatedStudyError as Taken
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage as Storage
from optuna.storages import JournalStorage, RDBStorage
from optuna.storages._rdb.models import BaseModel as Tables
from sqlalchemy.exc import DatabaseError, InterfaceError, OperationalError, PendingRollbackError

from search.study.journal import Journal
from search.terminal import remark
from selector.errors import InputError, RunError

PATIENCE = 60.0  # seconds a write is tried again
SHORTEST, LONGEST = 0.25, 5.0  # seconds between two tries
PASSWORD = re.compile(r"(://[^:/@]*):(.*)@")
SECRET = re.compile(r"([?&][^=&]*(?:pass|secret|token)[^=&]*=)([^&]*)", re.IGNORECASE)
LITE = {"timeout": 1}  # s that SQLite itself waits for a lock
KINDS = "search.storage is sqlite:///FILE.db in a folder that exists, a journal file, or the URL of a database server"
SERVER = "the database must exist on the server; the password is taken from PGPASSWORD or ~/.pgpass"
PLAIN = "set search.storage to a path without ? and %, or to a journal file, such as study.journal"
ESCAPED = re.compile(r"\?|%[0-9A-Fa-f]{2}")
DATABASES = (".db", ".db3", ".sqlite", ".sqlite3")
DAMAGE = re.compile("malformed|is not a database|unsupported file format|no such table|no such column")  # of SQLite
POSTGRESQL = re.compile(r"postgresql(\+psycopg2?)?://")
POSTGRES = {"connect_timeout": 10, "keepalives_idle": 30, "tcp_user_timeout": 30_000}  # s, s, ms; of libpq

Answer = TypeVar("Answer")
__all__ = [
    "Storage",
    "Taken",
    "check_storage",
    "open_storage",
    "passing",
    "patiently",
    "reason",
    "redact_url",
    "unusable",
]


def open_storage(url: str, create: bool) -> Storage:
    """The storage at a URL or in a journal file; InputError if it is not there or cannot be used.

    Without `create` nothing is made, locked or mended: a reader leaves no trace.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    path = check_storage(url)
    if path is not None and not create and not path.exists():
        raise InputError(f"there is no study in {path} yet", "start it with 'realingo search STUDY.toml'")
    try:
        return _database(url, create) if "://" in url else JournalStorage(Journal(url))
    except InputError:
        raise
    except Exception as problem:
        raise unusable(url, problem) from None


def _database(url: str, create: bool) -> Storage:
    own = POSTGRES if POSTGRESQL.match(url) else LITE if url.startswith("sqlite:") else {}
    # the ping: a server that was restarted is met with a new connection
    options: dict[str, object] = {"pool_pre_ping": True, "connect_args": own}
    try:
        if url.startswith("sqlite:"):
            _check_sound(url, options)
        if not create:
            engine = sqlalchemy.create_engine(url, **options)
            ready = _laid_out(engine)
            engine.dispose()
            if not ready:
                raise InputError(
                    f"there is no study in {redact_url(url)} yet", "start it with 'realingo search STUDY.toml'"
                )
        database = RDBStorage(url, engine_kwargs=options, skip_table_creation=not create)
        weakref.finalize(database, database.engine.dispose)  # hang up: nobody closes an Optuna storage
        return optuna.storages.get_storage(database)
    except ImportError:
        driver = "pip install 'realingo[postgres]'" if url.startswith("postgres") else "install the one its URL names"
        raise InputError(f"there is no driver for {redact_url(url)}", driver) from None


def _check_sound(url: str, options: Mapping[str, object]) -> None:
    """DatabaseError where a file of SQLite is damaged, or holds some of Optuna's tables but not all of them.

    It is looked through once, before it is used: a damaged page may lie where only a later step comes.
    """
    file = Path(url.removeprefix("sqlite:///"))
    if not file.exists() or not file.stat().st_size:
        return
    engine = sqlalchemy.create_engine(url, **options)
    try:
        with engine.connect() as connection:
            found = connection.execute(sqlalchemy.text("PRAGMA quick_check(1)")).scalar()
        lost = set(Tables.metadata.tables) - set(sqlalchemy.inspect(engine).get_table_names()) if found == "ok" else ()
        if found != "ok" or (lost and _laid_out(engine)):
            what = ValueError(f"malformed: there is no table {min(lost)}" if lost else f"malformed: {found}")
            raise DatabaseError(None, None, what) from what
    except OperationalError as problem:
        if not DAMAGE.search(str(problem)):  # locked: whoever writes is not in its way for long
            return
        raise
    finally:
        engine.dispose()


def _laid_out(engine: sqlalchemy.Engine) -> bool:
    """True if Optuna has made all its tables. It writes their version last, and would do so for a reader as well."""
    if not sqlalchemy.inspect(engine).has_table("alembic_version"):
        return False
    with engine.connect() as connection:
        return connection.execute(sqlalchemy.text("SELECT version_num FROM alembic_version")).first() is not None


def check_storage(url: str) -> Path | None:
    """The file that the storage `url` lives in; None for a server.

    InputError, with nothing written, where no file can be there or the form of `url` is not supported.
    """
    if set(url) & set("\r\n\0"):
        raise InputError("search.storage holds a line break or a null", KINDS)
    if ":memory:" in url or url == "sqlite://":
        raise InputError("a study in memory cannot be continued", "set search.storage to sqlite:///FILE.db")
    if "://" in url and not url.startswith("sqlite:///"):
        return None
    path = Path(url.removeprefix("sqlite:///"))
    if "://" not in url and (path.suffix.lower() in DATABASES or _is_sqlite(path)):
        raise InputError(f"search.storage '{url}' names a database, not a journal", f"write sqlite:///{url}")
    if url.startswith("sqlite:///") and (found := ESCAPED.search(url)):
        problem = f"'{found[0]}' in its path is read as part of an address, and options of SQLite are not supported"
        raise InputError(f"cannot open the storage {redact_url(url)}: {problem}", PLAIN)
    try:
        if not path.parent.is_dir():
            raise FileNotFoundError(f"there is no folder {path.parent}")
        if path.is_dir():
            raise IsADirectoryError(f"{path} is a folder")
    except OSError as problem:  # a path that is too long, too
        raise unusable(url, problem) from None
    return path


def check_writable(url: str) -> Path | None:
    """As `check_storage`; InputError also where the file, or its folder, may not be written."""
    path = check_storage(url)
    for place in (path, path.parent) if path is not None else ():
        if place.exists() and not os.access(place, os.W_OK):
            raise InputError(f"cannot write to {place}", "make it writable, or set search.storage")
    return path


def _is_sqlite(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(16) == b"SQLite format 3\0"
    except OSError:
        return False


def patiently(action: Callable[[], Answer], url: str, patience: float | None = None) -> Answer:
    """Do what may have to wait for the storage, again and again for `patience` seconds; RunError after that.

    The action may have taken effect before it failed: it must be one that can be done twice.
    """
    patience = PATIENCE if patience is None else patience
    begun, pause = time.monotonic(), SHORTEST
    while True:
        try:
            answer = action()
        except Exception as problem:
            if _is_damage(problem):
                raise unusable(url, problem) from None
            if not passing(problem):
                raise
            if time.monotonic() - begun >= patience:
                raise RunError(
                    f"the storage {redact_url(url)} cannot be used: {reason(problem, url)}",
                    "repair it and run the same command again: what was measured is kept and is not measured again",
                ) from None
            if pause == SHORTEST:
                remark(f"the storage does not answer ({reason(problem, url)}): trying again for {patience:.0f} s")
            time.sleep(pause)
            pause = min(2 * pause, LONGEST)
            continue
        if pause > SHORTEST:
            remark("the storage answers again")
        return answer


def passing(problem: BaseException) -> bool:
    """True if `problem` may pass: locked, full, not writable, or a server that is away."""
    if _is_damage(problem):
        return False
    if isinstance(problem, StorageInternalError):
        problem = problem.__cause__ or problem
    return isinstance(problem, (OSError, OperationalError, InterfaceError, PendingRollbackError))


def _is_damage(problem: BaseException) -> bool:
    """True if a file of SQLite is broken, which waiting does not mend."""
    if isinstance(problem, StorageInternalError):
        problem = problem.__cause__ or problem
    return isinstance(problem, DatabaseError) and bool(DAMAGE.search(str(problem.orig)))


def redact_url(url: str) -> str:
    """The storage `url` without a password, for messages."""
    return SECRET.sub(r"\1***", PASSWORD.sub(r"\1:***@", url))


def reason(problem: BaseException, url: str) -> str:
    """The first line of what went wrong at the bottom of `problem`, without the password in `url`."""
    while problem.__cause__ is not None:
        problem = problem.__cause__
    said = (str(problem).splitlines() or [""])[0] or type(problem).__name__
    secrets = [match[2] for pattern in (PASSWORD, SECRET) for match in pattern.finditer(url)]
    parts = [part for secret in secrets for part in secret.split("@")]  # an @ in it is often taken for its end
    for secret in [url, *secrets, *map(unquote, secrets), *parts, *map(unquote, parts)]:
        if len(secret) > 2:
            said = said.replace(secret, redact_url(url) if secret == url else "***")
    return said


def unusable(url: str, problem: BaseException) -> InputError:
    if _is_damage(problem):
        hint = "restore the file from a copy, or name another one in search.storage: a new study measures anew"
        return InputError(f"the storage {redact_url(url)} is damaged: {reason(problem, url)}", hint)
    hint = SERVER if POSTGRESQL.match(url) else KINDS
    return InputError(f"cannot open the storage {redact_url(url)}: {reason(problem, url)}", hint)
