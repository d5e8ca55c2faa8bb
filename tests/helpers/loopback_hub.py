"""A small hub on this machine's loopback address: what `from_pretrained` and `load_dataset` ask of the real one.

A repository is a folder: <root>/models/<owner>/<name>/… or <root>/datasets/<owner>/<name>/…; every revision is the
same commit. Owners `gated` and `broken` answer as their names say: with a refusal, or with half of each parquet file.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "c0ffee" + "0" * 34
FILE = re.compile(r"/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)")
API = re.compile(r"/api/(models|datasets)/([^/]+/[^/]+)(?:/(revision|tree|paths-info)/([^/]+)/?(.*))?")


class Handler(BaseHTTPRequestHandler):
    root: Path
    asked: list[str]

    def do_GET(self) -> None:
        self.respond()

    def do_HEAD(self) -> None:
        self.respond()

    def do_POST(self) -> None:
        self.respond()

    def log_message(self, *_: object) -> None:
        pass

    def respond(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = unquote(urlsplit(self.path).path)
        self.asked.append(f"{self.command} {path}")
        if match := FILE.fullmatch(path):
            self.file("datasets" if match[1] else "models", match[2], match[4])
        elif match := API.fullmatch(path):
            self.api(match[1], match[2], match[3] or "revision", match[5] or "", sent)
        else:
            self.refuse(404, "EntryNotFound")

    def repository(self, kind: str, name: str) -> Path | None:
        if name.startswith("gated/"):
            return self.refuse(403, "GatedRepo")
        folder = self.root / kind / name
        return folder if folder.is_dir() else self.refuse(401, "RepoNotFound")

    def file(self, kind: str, name: str, inside: str) -> None:
        folder = self.repository(kind, name)
        if folder is None:
            return
        if not (folder / inside).is_file():
            self.refuse(404, "EntryNotFound")
            return
        whole = (folder / inside).read_bytes()
        self.send_response(200)
        self.send_header("ETag", f'"{hashlib.sha256(whole).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        body = whole
        if name.startswith("broken/") and inside.endswith(".parquet"):
            body = whole[: len(whole) // 2]
        self.finish_with(body)

    def api(self, kind: str, name: str, what: str, inside: str, sent: bytes) -> None:
        folder = self.repository(kind, name)
        if folder is None:
            return
        files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        if what == "revision":
            siblings = [{"rfilename": file} for file in files]
            self.json({"id": name, "sha": COMMIT, "siblings": siblings, "private": False, "gated": False, "tags": []})
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

    def refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("X-Repo-Commit", COMMIT)
        self.finish_with(b"")

    def finish_with(self, body: bytes) -> None:
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@contextmanager
def serve(root: Path) -> Iterator[tuple[str, list[str]]]:
    """The address of a hub over the repositories under `root`, and the requests it gets."""
    asked: list[str] = []
    handler = type("Bound", (Handler,), {"root": root, "asked": asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
