"""The page on the known data sets: it is that of the table, and names what a reader needs of each set."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from realign.hub.page import page
from realign.hub.sets import load_sets, spec_of

PAGE = Path(__file__).parents[2] / "docs" / "hub.md"


def section(name: str) -> str:
    return page(load_sets()).partition(f"### {name}\n")[2].partition("\n##")[0]


def test_the_page_is_up_to_date() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text == page(load_sets()), "make it again: python -m realign.hub.page docs/hub.md"


@pytest.mark.parametrize("name", load_sets())
def test_every_set_has_a_section_with_what_it_is_and_what_is_not_known(name: str) -> None:
    spec, text = load_sets()[name], section(name)
    assert len(spec.about.split()) > 4
    assert " ".join(spec.about.split()) in text
    for expected in (spec.id, spec.files or spec.config, spec.revision or "branch `main`", *spec.columns.values()):
        assert expected in text
    assert (f"**Not established** ({spec.checked}): {spec.unsure}" in text) == bool(spec.unsure)


def test_languages_are_counted_against_those_of_the_paper() -> None:
    assert "Of paper-65: 49 (without bam ewe fon gaz jav " in section("opus-100")
    assert "Of paper-65: 65\n" in section("sib-200")
    assert "Of paper-65: not listed" in section("smol")
    assert "deu=de_hdt" in section("udpos")
    assert "| [wikiann](#wikiann) | entities | 176 | 50 |" in page(load_sets())


def test_what_stands_on_one_text_stands_in_one_row() -> None:
    assert "| flores | flores, sib-200 |  |" in page(load_sets())
    assert "| tatoeba | tatoeba, xtreme-tatoeba | opus-100 |" in page(load_sets())


@pytest.mark.parametrize("name", load_sets())
def test_every_known_set_has_a_licence_or_the_date_on_which_none_was_established(name: str) -> None:
    licence = load_sets()[name].licence
    assert re.fullmatch(r"not established \(20\d\d-\d\d-\d\d\)|[^()]+", licence)
    assert f"- Licence: {licence}\n" in section(name)


def test_a_licence_is_named_where_the_table_has_it() -> None:
    spec = spec_of({"id": "a/b", "tasks": ("pos",), "columns": {"words": "w"}, "about": "Some words.", "checked": "x"})
    assert "Licence" not in page({"some": spec})
    assert "- Licence: CC-BY-4.0\n" in page({"some": replace(spec, licence="CC-BY-4.0")})
