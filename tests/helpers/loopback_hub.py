"""A small hub on this machine's loopback address: what `from_pretrained` and `load_dataset` ask of the real one.

A repository is a folder: <root>/models/<owner>/<name>/… or <root>/datasets/<owner>/<name>/… is its branch main, and
<name>@<revision> beside it another revision, slashes as "+" (refs+convert+parquet). Each has a commit of its own.
Owners `gated`, `broken`, `slow` and `moved` answer as their names say: with a refusal, with half of each parquet file,
late, or with the way to `tiny`, the present owner. Requests for a range of a file are answered with that range.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from loopback_writes import Writes

FILE = re.compile(r"/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)")
API = re.compile(r"/api/(models|datasets)/([^/]+/[^/]+)(?:/(revision|tree|paths-info)/([^/]+)/?(.*))?")
RANGE = re.compile(r"bytes=(\d+)-(\d*)")
CHUNK = 1 << 20  # bytes written at a time
DELAY = 0.2  # seconds of an answer of `slow`


def commit(folder: Path) -> str:
    """The commit that a folder is: of its name and the names of its files."""
    return "c0ffee" + hashlib.sha1("\n".join((*folder.parts[-2:], *files_of(folder))).encode()).hexdigest()[6:]


def files_of(folder: Path) -> list[str]:
    """The files of a repository by name; asked for with every request, so without objects of paths."""
    within = len(str(folder)) + 1
    return sorted(f"{place}/{name}"[within:] for place, _, names in os.walk(folder) for name in names)


@cache
def digest(path: Path, _stamp: int) -> str:
    """SHA-256 of a file, computed once."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Handler(Writes, BaseHTTPRequestHandler):
    root: Path
    asked: list[str]
    sent: dict[str, int]  # name of a repository → bytes of its files

    def do_GET(self) -> None:
        self.respond()

    def do_HEAD(self) -> None:
        self.respond()

    def do_POST(self) -> None:
        self.respond()

    def do_PUT(self) -> None:
        self.respond()

    def log_message(self, *_: object) -> None:
        pass

    def respond(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = urlsplit(self.path).path  # still quoted: a revision may hold slashes
        self.asked.append(f"{self.command} {unquote(path)}")
        if self.change(path, sent):
            return
        file, api = FILE.fullmatch(path), API.fullmatch(path)
        name = file[2] if file else api[2] if api else ""
        if name.startswith("slow/"):
            time.sleep(DELAY)
        if name.startswith("moved/"):
            self.redirect(self.path.replace("moved/", "tiny/", 1))
        elif file:
            self.file("datasets" if file[1] else "models", name, unquote(file[3]), unquote(file[4]))
        elif api:
            self.api(api[1], name, api[3] or "revision", unquote(api[4] or "main"), unquote(api[5] or ""), sent)
        else:
            self.refuse(404, "EntryNotFound")

    def redirect(self, where: str) -> None:
        self.send_response(307)
        self.send_header("Location", where)
        self.finish_with(b"")

    def repository(self, kind: str, name: str, revision: str) -> Path | None:
        if name.startswith("gated/"):
            return self.refuse(403, "GatedRepo")
        main = self.root / kind / name
        if not main.is_dir() or (name in self.private and self.token() is None):
            return self.refuse(401, "RepoNotFound")
        folders = [main, *sorted(main.parent.glob(f"{main.name}@*"))]
        wanted = main if revision == "main" else main.with_name(f"{main.name}@{revision.replace('/', '+')}")
        for folder in folders:
            if folder == wanted or commit(folder) == revision:
                return folder
        return self.refuse(404, "RevisionNotFound")

    def file(self, kind: str, name: str, revision: str, inside: str) -> None:
        folder = self.repository(kind, name, revision)
        if folder is None:
            return
        if not (folder / inside).is_file():
            self.refuse(404, "EntryNotFound", commit(folder))
            return
        path = folder / inside
        status = path.stat()
        size = status.st_size // 2 if name.startswith("broken/") and inside.endswith(".parquet") else status.st_size
        part = RANGE.fullmatch(self.headers.get("Range") or "")
        start, end = (int(part[1]), min(size, int(part[2] or size) + 1)) if part else (0, size)
        self.send_response(206 if part else 200)
        self.send_header("ETag", f'"{digest(path, status.st_mtime_ns)}"')
        self.send_header("X-Repo-Commit", commit(folder))
        if part:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{size}")
        self.finish_with_part(path, start, end, name)

    def finish_with_part(self, path: Path, start: int, end: int, name: str) -> None:
        self.send_header("Content-Length", str(end - start))
        self.end_headers()
        if self.command == "HEAD":
            return
        with path.open("rb") as file:
            file.seek(start)
            while start < end and (some := file.read(min(CHUNK, end - start))):
                self.wfile.write(some)
                start += len(some)
                self.sent[name] = self.sent.get(name, 0) + len(some)

    def api(self, kind: str, name: str, what: str, revision: str, inside: str, sent: bytes) -> None:
        folder = self.repository(kind, name, revision)
        if folder is None:
            return
        files = files_of(folder)
        if what == "revision":
            siblings = [{"rfilename": file} for file in files]
            self.json(
                {
                    "id": name,
                    "sha": commit(folder),
                    "siblings": siblings,
                    "private": name in self.private,
                    "gated": False,
                    "tags": [],
                }
            )
            return
        if what == "tree":
            self.json([self.entry(folder, path) for path in self.under(folder, inside)])
            return
        wanted = json.loads(sent)["paths"] if sent.startswith(b"{") else self.form(sent)
        self.json([self.entry(folder, folder / path) for path in wanted if (folder / path).exists()])

    def under(self, folder: Path, inside: str) -> list[Path]:
        recursive = "recursive=true" in self.path.lower()
        return sorted((folder / inside).rglob("*") if recursive else (folder / inside).glob("*"))

    @staticmethod
    def form(sent: bytes) -> list[str]:
        from urllib.parse import parse_qs

        return parse_qs(sent.decode())["paths"]

    @staticmethod
    def entry(folder: Path, path: Path) -> dict[str, Any]:
        name = path.relative_to(folder).as_posix()
        if path.is_dir():
            return {"type": "directory", "path": name, "oid": "0" * 40, "size": 0}
        oid = hashlib.sha1(path.read_bytes()).hexdigest()
        return {"type": "file", "path": name, "size": path.stat().st_size, "oid": oid}

    def json(self, document: object) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.finish_with(json.dumps(document).encode())

    def refuse(self, status: int, code: str, at: str = "") -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        if at:
            self.send_header("X-Repo-Commit", at)
        self.finish_with(b"")

    def finish_with(self, body: bytes) -> None:
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@contextmanager
def serve(root: Path) -> Iterator[tuple[str, list[str]]]:
    """The address of a hub over the repositories under `root`, and the requests it gets."""
    with serve_and_count(root) as (address, asked, _):
        yield address, asked


@contextmanager
def serve_and_count(root: Path) -> Iterator[tuple[str, list[str], dict[str, int]]]:
    """As `serve`, and how many bytes of each repository's files were sent."""
    asked: list[str] = []
    sent: dict[str, int] = {}
    known = {"root": root, "asked": asked, "sent": sent, "private": set(), "messages": []}
    handler = type("Bound", (Handler,), known)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)  # soon at its end
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked, sent
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
