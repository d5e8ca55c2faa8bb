"""What a hub of the tests answers to who pushes: accounts by token, new repositories, large files, commits.

Tokens: `hf_write` and `hf_read` are of the user `tiny`, who belongs to `lab`; `hf_lab` may write to `lab` alone.
Commits to a repository called `full` are refused.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

LAB = {"entity": {"type": "org", "name": "lab"}, "permissions": ["repo.content.read", "repo.write"]}
TOKENS: Mapping[str, Mapping[str, Any]] = {
    "hf_write": {"displayName": "laptop", "role": "write"},
    "hf_read": {"displayName": "reader", "role": "read"},
    "hf_lab": {"displayName": "shared", "role": "fineGrained", "fineGrained": {"global": [], "scoped": [LAB]}},
}
PREUPLOAD = re.compile(r"/api/models/([^/]+/[^/]+)/preupload/main")
COMMIT = re.compile(r"/api/models/([^/]+/[^/]+)/commit/main")
BATCH = re.compile(r"/([^/]+/[^/]+)\.git/info/lfs/objects/batch")
OBJECT = re.compile(r"/objects/([0-9a-f]{64})")


class Writes(BaseHTTPRequestHandler):
    """Answers to requests that change something; to be mixed into the handler of `loopback_hub`."""

    root: Path
    private: set[str]  # names of repositories
    messages: list[str]  # of commits

    def json(self, document: object) -> None:
        raise NotImplementedError

    def refuse(self, status: int, code: str, at: str = "") -> Any:
        raise NotImplementedError

    def token(self) -> Mapping[str, Any] | None:
        """The account that asks; None without one."""
        return TOKENS.get((self.headers.get("Authorization") or "").removeprefix("Bearer "))

    def change(self, path: str, sent: bytes) -> bool:
        """Answer what belongs to writing; False for what does not."""
        if path == "/api/validate-yaml":
            self.json({"errors": [], "warnings": []})
        elif path == "/api/whoami-v2":
            self.identify()
        elif path == "/api/repos/create":
            self.create(json.loads(sent))
        elif self.command == "PUT" and (match := OBJECT.fullmatch(path)):
            self.keep(match[1], sent)
        elif match := PREUPLOAD.fullmatch(path):
            files = [each["path"] for each in json.loads(sent)["files"]]
            modes = {name: "lfs" if name.endswith(".safetensors") else "regular" for name in files}
            self.json(
                {"files": [{"path": name, "uploadMode": mode, "shouldIgnore": False} for name, mode in modes.items()]}
            )
        elif BATCH.fullmatch(path):
            self.json({"transfer": "basic", "objects": [self.action(each) for each in json.loads(sent)["objects"]]})
        elif match := COMMIT.fullmatch(path):
            self.commit(match[1], [json.loads(line) for line in sent.splitlines()])
        else:
            return False
        return True

    def identify(self) -> None:
        token = self.token()
        if token is None:
            self.refuse(401, "")
            return
        self.json({"type": "user", "name": "tiny", "orgs": [{"name": "lab"}], "auth": {"accessToken": token}})

    def create(self, asked: Mapping[str, Any]) -> None:
        name = f"{asked.get('organization') or 'tiny'}/{asked['name']}"
        folder = self.root / "models" / name
        if (self.token() or {}).get("role") == "read":
            self.refuse(403, "")
        elif folder.exists():
            self.refuse(409, "")
        else:
            folder.mkdir(parents=True)
            if asked.get("visibility") == "private":
                self.private.add(name)
            self.json({"url": f"http://{self.headers['Host']}/{name}"})

    def action(self, each: Mapping[str, Any]) -> Mapping[str, Any]:
        place = f"http://{self.headers['Host']}/objects/{each['oid']}"
        return {"oid": each["oid"], "size": each["size"], "actions": {"upload": {"href": place}}}

    def keep(self, oid: str, sent: bytes) -> None:
        assert hashlib.sha256(sent).hexdigest() == oid
        (self.root / "objects").mkdir(exist_ok=True)
        (self.root / "objects" / oid).write_bytes(sent)
        self.json({})

    def commit(self, name: str, lines: list[Mapping[str, Any]]) -> None:
        folder = self.root / "models" / name
        if name.endswith("/full"):
            self.refuse(403, "")
            return
        for line in lines:
            value = line["value"]
            if line["key"] == "header":
                self.messages.append(value["summary"])
                continue
            file = folder / value["path"]
            file.parent.mkdir(parents=True, exist_ok=True)
            if line["key"] == "file":
                assert value["encoding"] == "base64"
                file.write_bytes(base64.b64decode(value["content"]))
            else:
                assert (line["key"], value["algo"]) == ("lfsFile", "sha256")
                file.write_bytes((self.root / "objects" / value["oid"]).read_bytes())
        oid = hashlib.sha1(str(lines).encode()).hexdigest()
        self.json({"commitOid": oid, "commitUrl": f"http://{self.headers['Host']}/{name}/commit/{oid}"})
