"""The report in a browser: on a telephone and on a desk, by day and by night, every text is whole and can be read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rehearsal
from browser import Browser, browsing, needs_chromium

from search.commands import search as run
from search.confirmation import confirm
from search.pages import atlas, map_html
from search.report import html_report
from selector.languages.language import parse, parse_pool
from selector.problem import pose

pytestmark = needs_chromium

LOOKS = [(400, False), (400, True), (1280, False), (1280, True)]  # width in pixels, dark
FIGURES = ("progress", "confirmed", "spill", "gains", "importance", "world", "typology")
POOL = (*rehearsal.POOL, "quy", "plt", "gaz", "azj")  # with names that are long

SCRIPT = (Path(__file__).parents[1] / "helpers" / "page_texts.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a study that was searched and confirmed with the fake evaluator."""
    home = tmp_path_factory.mktemp("page")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REALINGO_CACHE", str(home / "cache"))
        config = rehearsal.study(home / "study", trials=14, pool=POOL)
        run.search(config)
        confirm.confirm(config, top=1, seeds=2)
        return Path(html_report.write(config, None))


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browsing(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


def look(tab: Browser, what: str) -> Any:
    """What a function of page_texts.js says of the page."""
    return tab.value(f"(() => {{ {SCRIPT}; return {what}; }})()")


def faults(tab: Browser) -> dict[str, list[str]]:
    """The texts that are pale, tiny or cut, and the axes whose numbers run into each other."""
    texts = look(tab, "texts()")
    assert texts
    return {
        "pale": [each["text"] for each in texts if each["contrast"] < 4.5],
        "tiny": [each["text"] for each in texts if each["size"] < 11],
        "cut": [each["text"] for each in texts if each["room"] < -0.5 or each["spill"] > 1],
        "crowded": look(tab, "overlaps()"),
    }


NO_FAULTS: dict[str, list[str]] = {"pale": [], "tiny": [], "cut": [], "crowded": []}
BAD = """<body style="margin: 0; background: #fff"><p style="color: #8b949e">grey</p><p style="font-size: 9px">small</p>
<div style="width: 60px; overflow: hidden; white-space: nowrap">a line that is too long</div>
<svg class="map" viewBox="0 0 200 60" width="200"><path class="sea" fill="#000" d="M0 0H9V9Z"/>
<text x="180" y="20" fill="#777">edge of the map</text></svg>
<svg class="axis"><text x="10" y="9">1000</text><text x="14" y="9">2000</text></svg></body>"""


def test_a_bad_page_is_seen(tmp_path: Path, tab: Browser) -> None:
    page = tmp_path / "bad.html"
    page.write_text(BAD, encoding="utf-8")
    tab.open(page.as_uri(), 400)
    found = faults(tab)
    assert found["pale"] == ["grey", "edge of the map"]
    assert found["tiny"] == ["small"]
    assert found["cut"] == ["a line that is too long", "edge of the map"]
    assert found["crowded"] == ["10002000"]


def check(tab: Browser) -> None:
    """The page is not wider than its window, and all its texts are well."""
    assert tab.value("document.scrollingElement.scrollWidth <= innerWidth")
    assert faults(tab) == NO_FAULTS
    assert tab.console == []


@pytest.mark.parametrize(("width", "dark"), LOOKS)
def test_the_report_can_be_read(report: Path, tab: Browser, width: int, dark: bool) -> None:
    tab.open(report.as_uri(), width, dark=dark)
    assert tab.value("matchMedia('(prefers-color-scheme: dark)').matches") is dark
    tab.value("document.querySelectorAll('details').forEach(each => { each.open = true })")
    check(tab)
    for name in FIGURES:
        drawn = look(tab, f"figure('{name}')")
        assert drawn["marks"] >= 2, name
        assert 60 < drawn["tall"] < 1200, name
        assert drawn["wide"] <= width, name


@pytest.mark.parametrize(("width", "dark"), LOOKS)
def test_the_page_of_a_map_can_be_read(tmp_path: Path, tab: Browser, width: int, dark: bool) -> None:
    problem = pose(parse_pool("world"), 4, "syntactic", parse("eng"))
    for view in atlas.VIEWS:
        page = tmp_path / f"{view}.html"
        page.write_text(map_html.html(atlas.atlas(problem, [1, 5, 9, 20], view, "4 of 24")), encoding="utf-8")
        tab.open(page.as_uri(), width, dark=dark)
        check(tab)
        before = tab.value("document.querySelector('.map').getBoundingClientRect().width")
        tab.value("document.getElementById('zoom4').click()")
        assert tab.value("document.querySelector('.map').getBoundingClientRect().width") > 1.2 * before
        check(tab)


def test_the_table_is_saved_without_a_network(report: Path, tab: Browser) -> None:
    """What the button saves has a line for each language, and is allowed by the page's own policy."""
    tab.open(report.as_uri(), 1280)
    address = tab.value("document.querySelector('a[download]').href")
    assert address.startswith("data:text/csv")
    saved = tab.value("decodeURIComponent(document.querySelector('a[download]').href.split(',').slice(1).join(','))")
    lines = saved.splitlines()
    assert lines[0].startswith("code,language,role,mean")
    assert {line.partition(",")[0] for line in lines[1:]} == {*POOL, "tel", "kaz"}


def test_on_paper_it_is_light_and_no_wider_than_a_page(report: Path, tab: Browser) -> None:
    tab.open(report.as_uri(), 700, dark=True)  # A4 with usual margins
    dark = {"name": "prefers-color-scheme", "value": "dark"}
    tab.ask("Emulation.setEmulatedMedia", media="print", features=[dark])
    try:
        assert tab.value("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert tab.value("document.scrollingElement.scrollWidth <= innerWidth")
        found = faults(tab)
        assert (found["pale"], found["cut"], found["crowded"]) == ([], [], [])
    finally:
        tab.ask("Emulation.setEmulatedMedia", media="", features=[])
