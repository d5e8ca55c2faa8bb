"""`--push`: rights are looked at before the work, the folder comes to the hub whole, a failed upload loses nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import rehearsal
import warm_python
from loopback_hub import serve
from small_study import world_encoder

ORDER = """
languages = ["deu", "fin"]
[model]
base = "encoder"
[task]
kind = "{kind}"
[realign]
steps = 3
batch = 4
"""
RUN = """
import contextlib, io, json, sys
from search.cli.entry import exit_status
for arguments in json.loads(sys.argv[1]):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = exit_status(arguments)
    print(json.dumps([status, out.getvalue(), err.getvalue()]))
"""
RIGHTS = """
import json, sys
from huggingface_hub import HfApi
from realign.hub.upload import check_rights
from selector.errors import InputError
for repository, public, token in json.loads(sys.argv[1]):
    try:
        print(json.dumps(check_rights(repository, public, HfApi(token=token)).repository))
    except InputError as problem:
        print(json.dumps([problem.message, problem.hint]))
"""


@dataclass(frozen=True)
class Hub:
    """A hub that can be written to, and a machine that knows it."""

    root: Path
    address: str
    asked: list[str]
    home: Path

    def python(self, code: str, given: object, **environment: str) -> list[Any]:
        """What a script prints, a line of JSON each."""
        own = {"HF_ENDPOINT": self.address, "HF_HOME": str(self.home / "hf"), "HF_HUB_OFFLINE": "0"}
        own |= {"REALINGO_CACHE": str(self.home / "cache"), "HF_HUB_DISABLE_XET": "1", "HF_TOKEN": "", **environment}
        done = warm_python.run("-c", code, json.dumps(given), env=os.environ | own, loaded="libraries")
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def realingo(self, *calls: list[str | Path], token: str = "hf_write", **environment: str) -> list[Any]:
        """Exit status, output and errors of commands."""
        given = [[str(word) for word in call] for call in calls]
        return self.python(RUN, given, HF_TOKEN=token, **environment)

    def written(self) -> list[str]:
        """The requests that change something."""
        return [each for each in self.asked if not each.startswith(("GET", "HEAD"))]


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    root = tmp_path / "hub"
    (root / "models" / "tiny" / "open").mkdir(parents=True)
    with serve(root) as (address, asked):
        yield Hub(root, address, asked, tmp_path)


@pytest.fixture
def order(tmp_path: Path) -> Path:
    world_encoder(tmp_path / "encoder", ("deu", "fin"))
    path = tmp_path / "order.toml"
    path.write_text(ORDER.format(kind="retrieval"), encoding="utf-8")
    return path


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


REFUSED: dict[tuple[str, bool, str], tuple[str, str]] = {
    ("tiny/a b", False, "hf_write"): ("cannot be a repository", "OWNER/NAME"),
    ("tiny/new", False, "hf_wrong"): ("refuses the token", "HF_TOKEN"),
    ("tiny/new", False, "hf_read"): ("'reader' may not write to tiny/new", "settings/tokens"),
    ("tiny/new", False, "hf_lab"): ("'shared' may not write to tiny/new", "settings/tokens"),
    ("google/new", False, "hf_write"): ("you may not push to google: the token is that of tiny", "tiny and lab"),
    ("tiny/open", False, "hf_write"): ("tiny/open is public already", "--public"),
}
ALLOWED = {
    ("new", False, "hf_write"): "tiny/new",
    ("lab/new", True, "hf_lab"): "lab/new",
    ("tiny/open", True, "hf_write"): "tiny/open",
}


def test_rights_are_told_without_writing_anything(hub: Hub) -> None:
    answers = hub.python(RIGHTS, [*REFUSED, *ALLOWED])
    for (message, hint), (expected, way) in zip(answers, REFUSED.values(), strict=False):
        assert expected in message
        assert way in hint
    assert answers[len(REFUSED) :] == list(ALLOWED.values())
    assert hub.written() == []


def test_without_a_way_to_the_hub_nothing_is_begun(hub: Hub) -> None:
    for environment in ({"HF_ENDPOINT": "http://127.0.0.1:9"}, {"HF_HUB_OFFLINE": "1"}):
        ((message, hint),) = hub.python(RIGHTS, [("tiny/new", False, "hf_write")], **environment)
        assert message.startswith("cannot reach the hub to push to tiny/new")
        assert "HF_ENDPOINT" in hint


def test_without_a_token_a_command_ends_before_its_work(hub: Hub, order: Path) -> None:
    call: list[str | Path] = ["realign", order, "-o", order.parent / "model"]
    answers = hub.realingo([*call, "--push", "tiny/new"], [*call, "--public"], token="")
    for (status, out, err), says in zip(
        answers, ("needs a token, and there is none", "--public says how"), strict=True
    ):
        assert (status, out) == (2, "")
        error, hint = err.splitlines()
        assert error.startswith("error: ")
        assert says in error
        assert hint.startswith("hint: ")
    assert not list(order.parent.glob("*model*"))
    assert hub.asked == []


def test_a_realigned_model_comes_to_the_hub_whole_and_private(hub: Hub, order: Path) -> None:
    model = order.parent / "model"
    ((status, out, err),) = hub.realingo(["realign", order, "-o", model, "--push", "new", "--json"])
    assert status == 0, err
    pushed = json.loads(out)["pushed"]
    assert (pushed["repository"], pushed["private"]) == ("tiny/new", True)
    assert pushed["url"] == f"{hub.address}/tiny/new"
    assert len(pushed["revision"]) == 40
    assert files(hub.root / "models" / "tiny" / "new") == files(model)
    assert {"2_Pooling/config.json", "model.safetensors", "README.md"} <= files(model).keys()
    card = (model / "README.md").read_text(encoding="utf-8")
    assert 'AutoModel.from_pretrained("tiny/new")\n' in card
    assert 'SentenceTransformer("tiny/new")' in card
    assert "MODEL_DIR" not in card


def test_a_failed_upload_loses_nothing_and_says_how_to_push_again(hub: Hub, order: Path) -> None:
    model = order.parent / "my model"
    ((status, out, err),) = hub.realingo(["realign", order, "-o", model, "--push", "tiny/full", "--json"])
    assert (status, out) == (1, "")
    assert f"{model} is whole, but was not pushed to tiny/full" in err
    assert f"hint: push it again: hf upload tiny/full '{model}' . --private" in err
    assert "model.safetensors" in files(model)
    assert not list(order.parent.glob(".my model*"))


def test_an_export_is_pushed_for_everyone_where_that_is_asked_for(hub: Hub, tmp_path: Path) -> None:
    study, folder = rehearsal.write(tmp_path / "study", trials=2, strategy="random"), tmp_path / "export"
    calls = [["search", study], ["confirm", study], ["export", study, "-o", folder, "--push", "lab/x", "--public"]]
    answers = hub.realingo(*calls)
    assert [status for status, _, _ in answers] == [0, 0, 0], answers
    assert f"pushed: {hub.address}/lab/x (public), revision " in answers[2][1]
    assert files(hub.root / "models" / "lab" / "x") == files(folder)
