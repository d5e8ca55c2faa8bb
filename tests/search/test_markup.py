"""What comes from data stays text: in Markdown (export, model card, notes) and in HTML (report, atlas)."""

from __future__ import annotations

import dataclasses
import json
import re
import tempfile
import tomllib
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import rehearsal
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from realign.score import Score
from search.config.study_config import StudyConfig, load
from search.confirmation.verdict import Verdict
from search.dashboard import notes
from search.export import export, export_card, model_card
from search.pages import atlas, map_html
from search.pages.atlas import Atlas
from search.pages.templates import plain, quoted
from search.report import html_report, plots
from search.report.costs import Step
from search.report.findings import CompleteTrial
from search.report.html_report import ReportFacts
from search.report.language_table import LanguageRow
from search.results.confirmation import Confirmation, ConfirmedRow, Luck
from search.results.effects import Effect, PairEffect
from search.results.estimates import Difference, Interval
from search.results.exported_subset import ExportedSubset
from search.results.realigned_model import BaseEncoder, PairCounts, RealignedModel, RunFacts
from search.study.study import open_study
from selector.languages.language import parse, parse_pool
from selector.languages.subset import Subset
from selector.problem import pose

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7*7 }}",
    "</script><script>alert(1)</script>",
    "</title></style></textarea><svg onload=alert(1)>",
    "a\u2028alert(1)//",
    "](javascript:alert(1))",
    "[x](javascript:alert(1))",
    "![x](https://example.org/x.png)",
    "`<b>x</b>`",
    "``` \n\n<b>x</b>",
    "a | b\n| --- | --- |\n",
    "x\n\n# A heading\n\n<script>alert(1)</script>",
    "---\nbase_model: other\n---",
    "&lt;b&gt; <https://example.org> <!-- ",
    "$x$ *a* __b__ ~~c~~ \\",
]
MARKUP = {"html_inline", "html_block", "link_open", "image", "heading_open", "hr", "em_open", "strong_open", "s_open"}
GFM = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def kinds(text: str) -> list[str]:
    """What Markdown reads a text as, piece by piece, without the pieces of plain text."""
    tokens = [inner for token in GFM.parse(text) for inner in (token, *(token.children or ()))]
    return [token.type for token in tokens if token.type != "text"]


class Tags(HTMLParser):
    """The tags of a page, as a browser would read them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags += [tag, *(name for name, _ in attrs if name.startswith("on"))]


@given(st.text(max_size=40) | st.sampled_from(HOSTILE) | st.text("`|[]()<>!*_~\\&$#\n ax", max_size=20))
def test_text_from_data_is_text_in_markdown(text: str) -> None:
    told = "".join(text.split())
    for line in (f"a {plain(text)} z", f"a {quoted(text)} z"):
        assert not MARKUP & set(kinds(line))
        assert kinds(line).count("paragraph_open") == 1
    shown = "".join(token.content for token in GFM.parseInline(f"a {plain(text)} z")[0].children or ())
    assert "".join(shown.split()) == f"a{told or '–'}z".replace("\0", "\ufffd")
    cells = kinds(f"| {plain(text)} | b |\n|---|---|\n| {plain(text)} | d |\n")
    assert (cells.count("th_open"), cells.count("td_open"), MARKUP & set(cells)) == (2, 2, set())


CALM = "calm"


def study(folder: Path, text: str, path: str = CALM) -> StudyConfig:
    """A study whose free texts are all the one given."""
    written = rehearsal.write(folder)
    overrides = [
        f"model.base={json.dumps(text)}",
        f"data.parallel={{kind = 'tsv', folder = {json.dumps(text)}}}",
        f"task.data={{kind = 'conllu', folder = {json.dumps(text)}}}",
        "search.storage=trial.journal",
    ]
    return dataclasses.replace(load(written, overrides), path=written.with_name(path.replace("/", ":")))


@pytest.mark.parametrize("text", [*HOSTILE, "\t\"'\\\\ e"])
def test_any_text_comes_back_from_the_exported_settings(text: str, tmp_path: Path) -> None:
    written = tomllib.loads(export._realignment(study(tmp_path, text), ["deu"], tmp_path / "out"))
    assert written["model"]["base"] == text
    assert written["data"]["parallel"] == {"kind": "tsv", "folder": text}


def exported(folder: Path, text: str) -> str:
    config = study(folder, text, text)
    confirmation = confirmed(text)
    versions, why = {"a": text}, {"reason": text, "verdict": text, "stale": (text,)}
    subset = ExportedSubset(text, "eng", text, confirmation.best, text, versions=versions, **why)  # type: ignore[arg-type]
    return export_card.render(config, subset, confirmation)


def confirmed(text: str) -> Confirmation:
    """A confirmation of five rows with the text wherever one can stand."""
    ends = Interval(0.4, 0.6)
    gain = Difference(0.1, Interval(0.0, 0.2), 0.04, 0.02)
    rows = tuple(
        ConfirmedRow(name, ("deu",), 0.5, ends, 0.1, 1, {}, text, vs_none=gain, vs_all=gain, vs_random=gain)
        for name in ("best", "none", "all", "random-k", text)
    )
    luck = Luck(0.5, 0.5, 0.0)
    return Confirmation(text, text, text, ("deu",), (), "test", (1,), {}, {"a": text}, text, luck, rows, text, text)


def carded(folder: Path, text: str) -> str:
    config = study(folder, text)
    config = dataclasses.replace(config, pool=config.pool[:1])
    code = config.pool[0].code
    model = RealignedModel(
        name=text,
        languages=(code,),
        source="eng",
        seed=1,
        run="r",
        base=BaseEncoder(text, None, "s"),
        realign={"dictionary": text, "steps": 2},
        pairs=1,
        data={code: PairCounts(1, 1, {text: 1}, 1)},
        facts=RunFacts("e", "eng", {}, "p", {}, 1, 1, "2", text),
        chosen=ExportedSubset(text, "eng", text, confirmed(text).best, text, reason=text, verdict=text, stale=(text,)),
        changed=(text,),
        created="today",
        seconds=1.0,
        versions={"torch": "2"},
        signature="t",
    )
    return model_card.render(config.core, config.pool, model)


EFFECT = Effect("deu", 0.1, 0.05, 0.2, 0.5, 0.5)


@cache
def story() -> ReportFacts:
    """Of a study with one finished trial."""
    with tempfile.TemporaryDirectory() as folder:
        config = rehearsal.study(Path(folder))
        kept = open_study(config, create=True)
        trial = kept.begin(Subset(config.pool[:3]), CALM, 0, {})
        kept.finish(trial, Score(0.5, {each.code: 0.5 for each in config.pool}, CALM), 0.5)
        return html_report.gather(config, kept)


def told(text: str) -> ReportFacts:
    """The story with the text wherever one can come from data."""
    ((trial, _),) = story().table
    trial = dataclasses.replace(trial, origin=text, signature=text, error=text)
    plot = plots.progress([CompleteTrial(0, 0.5, ("a",), text)], {"a": text})
    config = dataclasses.replace(story().config, name=text, path=Path("/") / text.replace("/", ":"))
    verdict = Verdict(1, 2, 0.5, ("deu",), confirmed(text).best, 2)
    labels = {row.name: text for row in confirmed(text).rows}
    more = {"confirmation": confirmed(text), "verdict": verdict, "labels": labels, "facts": [(text, text)]}
    row = LanguageRow("deu", text, True, True, 0.2, 0.3, worse=True)
    more |= {"languages": [row], "pairs": [(text, PairEffect(("deu", "fin"), 0.1, 0.0, 0.2))], "pairs_finding": text}
    more |= {"costs": [(text, text)], "outlook": text, "steps": [Step(text, text.replace(" ", "_"))]}
    plotted = {"progress": plot, "gains": plots.gains([row]), "importance": plots.importance([EFFECT], {"deu": text})}
    return dataclasses.replace(story(), config=config, headline=text, table=[(trial, text)], plots=plotted, **more)


def noted(_: Path, text: str) -> str:
    ((trial, _names),) = told(text).table
    names = dict.fromkeys((each.code for each in story().config.pool), text)
    return f"{notes.trial_note(trial, names)}\n\n{notes.study_note(told(text))}"


@pytest.mark.parametrize("write", [exported, carded, noted])
def test_markdown_has_the_same_form_whatever_the_data_says(write: Any, tmp_path: Path) -> None:
    calm = kinds(write(tmp_path / "calm", CALM))
    for number, text in enumerate(HOSTILE):
        assert kinds(write(tmp_path / str(number), text)) == calm, text


def test_ordinary_values_stay_readable(tmp_path: Path) -> None:
    text = exported(tmp_path, "path/to/my-data_2.0 (new)")
    assert "encoder `path/to/my-data_2.0 (new)`" in text
    assert r"Why this subset: path/to/my-data\_2.0 (new)." in text


def reported(_: Path, text: str) -> str:
    return html_report.render(told(text))


@cache
def drawing() -> Atlas:
    problem = pose(parse_pool(["deu", "fin", "fra", "tur"]), 2, "syntactic", parse("eng"))
    return atlas.atlas(problem, [0, 1], "world", CALM)


def mapped(_: Path, text: str) -> str:
    named = tuple(dataclasses.replace(each, name=text, family=text, genus=text) for each in drawing().languages)
    drawn = dataclasses.replace(drawing(), languages=named, title=text, note=text)
    return map_html.html(drawn)


@pytest.mark.parametrize("write", [reported, mapped])
def test_html_has_the_same_form_whatever_the_data_says(write: Any, tmp_path: Path) -> None:
    calm = Tags(write(tmp_path / "calm", CALM)).tags
    for number, text in enumerate(HOSTILE):
        hostile = write(tmp_path / str(number), text)
        assert Tags(hostile).tags == calm, text
        scripts = "".join(re.findall(r"<script.*?</script>", hostile, re.DOTALL))
        assert "\u2028" not in scripts, "which ended a line of JavaScript before 2019"
