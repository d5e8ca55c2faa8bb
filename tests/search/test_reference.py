"""The reference of the study file: complete, up to date, and agreeing with what is accepted."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from realign.section import Section
from search import planner
from search.config import reference
from search.config.realign_file import RealignFile
from search.config.schema import StudyFile
from search.config.strategy_names import STRATEGIES

ROOT = Path(__file__).parents[2]
STUDIES = ("quickstart", "real-small", "real-e5")
SCHEMA = Draft202012Validator(reference.json_schema())


def sections(form: type[Section]) -> Iterator[type[Section]]:
    yield form
    yield from reference._inner(form)


def described() -> list[tuple[type[Section], Any]]:
    forms = {**dict.fromkeys(sections(StudyFile)), **dict.fromkeys(sections(RealignFile))}
    return [(form, each) for form in forms for each in fields(form)]  # type: ignore[arg-type]


def test_the_published_files_are_up_to_date(tmp_path: Path) -> None:
    reference.write(tmp_path)
    for name in (reference.SCHEMA, reference.PAGE):
        published = (ROOT / "docs" / name).read_text(encoding="utf-8")
        assert (tmp_path / name).read_text(encoding="utf-8") == published, "make reference"


def test_every_key_has_a_description_in_one_sentence() -> None:
    assert len(described()) > 100
    for form, each in described():
        text = each.metadata.get("description", "")
        assert text[:1].isupper(), (form, each.name, text)
        assert text.endswith("."), (form, each.name, text)
        assert ". " not in text, (form, each.name, text)


def test_the_page_names_every_key() -> None:
    lines = reference.page().splitlines()
    for form in sections(StudyFile):
        top = {"pool", "targets", "model", "data", "task", "realign", "search", "fidelity", "confirm"}
        names = {each.name for each in fields(form)} - (top if form is StudyFile else set())  # type: ignore[arg-type]
        for name in names:
            assert any(line.startswith(f"| `{name}` |") for line in lines), (form, name)


@pytest.mark.parametrize("name", STUDIES)
def test_the_schema_accepts_the_studies_of_the_repository(name: str) -> None:
    document = tomllib.loads((ROOT / "studies" / f"{name}.toml").read_text(encoding="utf-8"))
    assert [error.message for error in SCHEMA.iter_errors(document)] == []


@pytest.mark.parametrize(
    "change",
    [
        {"search": {"stratgy": "tpe"}},
        {"search": {"trials": 0}},
        {"realign": {"lr": "fast"}},
        {"realign": {"aligner": "golden"}},
        {"data": {"parallel": {"kind": "verses"}}},
        {"data": {"parallel": {"kind": "vers", "folder": "x"}}},
        {"task": {"kind": "mt"}},
        {"model": {"base": {"kind": "fake", "noise": 11}}},
        {"name": "a/b"},
        {"pool": {"k": 3}},
    ],
    ids=json.dumps,
)
def test_the_schema_refuses_what_a_study_file_may_not_say(change: dict[str, Any]) -> None:
    document = {"name": "s", "pool": {"languages": "world", "k": 3}}
    assert SCHEMA.is_valid(document)
    assert not SCHEMA.is_valid({**document, **change})


def test_the_planner_knows_every_strategy_by_its_name() -> None:
    assert planner.STRATEGIES.keys() == STRATEGIES.keys()
