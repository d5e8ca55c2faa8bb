"""Every known set read from its real layout, online and again offline; what goes wrong; codes language by language."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hub_layouts
import pytest
import warm_python
from loopback_hub import serve

from realign.corpora.hub import Hub
from realign.hub.sets import alter, load_sets, spec_of
from selector.errors import NoDataError

READ = """
import dataclasses, json, sys
from realign.corpora.hub import Hub
from realign.hub.sets import alter, load_sets, spec_of
from selector.errors import InputError
answers = {}
for key, name, own, language, split in json.loads(sys.argv[1]):
    spec = alter(load_sets()[name], own) if name in load_sets() else spec_of(own)
    *others, language = language.split(",")
    hub = Hub(spec, "eng", [*others, language])
    kind = {"parallel": "pairs", "classification": "examples"}.get(spec.tasks[0], "sentences")
    try:
        rows = [dataclasses.astuple(row) for row in getattr(hub, kind)(language, split)]
        answers[key] = {"rows": rows, "signature": hub.signature}
    except InputError as problem:
        answers[key] = {"error": [type(problem).__name__, problem.message, problem.hint]}
print(json.dumps(answers))
"""
Question = tuple[str, str, dict[str, Any], str, str]


def ask(home: Path, address: str, questions: list[Question], offline: bool = False) -> dict[str, Any]:
    """What a process of its own reads, with the hub at `address` and its caches in `home`."""
    own = {"HF_ENDPOINT": address, "HF_HOME": str(home / "hf"), "HF_HUB_OFFLINE": "1" if offline else "0"}
    own |= {"OMP_NUM_THREADS": "1", "HF_HUB_DISABLE_XET": "1"}
    run = warm_python.run("-c", READ, json.dumps(questions), env={**os.environ, **own}, loaded="libraries")
    assert run.returncode == 0, run.stderr
    answers: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return answers


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("layouts")
    hub_layouts.build(root)
    return root


@pytest.fixture(scope="module")
def address(root: Path) -> Iterator[str]:
    with serve(root) as (address, _):
        yield address


def questions() -> list[Question]:
    return [
        (f"{name} {language} {split}", name, {}, language, split)
        for name in load_sets()
        if name != "masakhapos"  # no text of it is on the hub
        for language in hub_layouts.LANGUAGES[name]
        for split in hub_layouts.splits_of(name, language)
    ]


def first_side(name: str, language: str, split: str, row: int) -> list[str]:
    """The words that a row of a set holds in its language."""
    found = hub_layouts.words(language, split, row)
    if name == "udpos":
        return [*found[:2], "v2.17"]  # the revision that is pinned
    if name == "afrixnli":
        return [f'"{found[0]}', *found[1:]] if row == 0 else found
    if name == "xtreme-tatoeba":  # one split for both
        return [found[0], "dev", found[2]]
    return [*found, '"x"'] if name == "sib-200" else found


@pytest.mark.slow
def test_every_known_set_reads_from_its_real_layout_and_again_offline(root: Path, tmp_path: Path) -> None:
    with serve(root) as (address, requests):
        online = ask(tmp_path, address, questions())
    card = "HEAD /datasets/Helsinki-NLP/opus-100/resolve/main/README.md"
    assert requests.count(card) == 1  # for all its languages
    for key, name, _, language, split in questions():
        assert "rows" in online[key], (key, online[key])
        assert len(online[key]["rows"]) == hub_layouts.ROWS, key
        for number, row in enumerate(online[key]["rows"]):
            side = row[1] if load_sets()[name].tasks == ("parallel",) else row[0]
            assert side == first_side(name, language, split, number), key
    offline = ask(tmp_path, "http://127.0.0.1:9", questions(), offline=True)
    assert offline == online


BLANK = "\t_\t_\t_\t_\t_\t_\n"
TREE = f"# text = du\n1-2\tdu\t_\t_{BLANK}1\tde\t_\tADP{BLANK}2\tle\t_\tDET{BLANK}\n"
NLI = '{"p": "a", "h": "b", "l": 1}\n{"p": "a", "h": "b", "l": -1}\n'
BOTH, INSIDE = {"source": "{source}", "target": "{lang}"}, {"source": "t.{source}", "target": "t.{lang}"}
TOPIC, TWO = {"text": "s", "label": "l"}, {"premise": "p", "hypothesis": "h", "label": "l"}
FILES: dict[str, tuple[str, dict[str, str], str, str, list[Any]]] = {  # task, columns, file, text, first row
    "tags": ("pos", {}, "x/{lang}-{split}.txt", "# id = 1\n# NUM\na NOUN\n\nb X\n", [["#", "a"], ["NUM", "NOUN"]]),
    "treebank": ("pos", {}, "{lang}.{split}.conllu", TREE, [["de", "le"], ["ADP", "DET"]]),
    "entities": ("ner", {}, "{split}/{lang}.conll", "Ann x I-PER\nin z O\n", [["Ann", "in"], ["B-PER", "O"]]),
    "pairs": ("parallel", BOTH, "{pair}.{split}.tsv", "en\tsw\na b\tc\n", [["a", "b"], ["c"], None]),
    "objects": ("parallel", INSIDE, "{lang}.jsonl", '{"t": {"en": "a", "sw": "b c"}}\n', [["a"], ["b", "c"], None]),
    "topics": ("classification", TOPIC, "{lang}_{split}.tsv", "s\tl\na b\tx\n", [["a", "b"], None, "x"]),
    "inference": ("classification", TWO, "{lang}_{split}.jsonl", NLI, [["a"], ["b"], "1"]),
}


@pytest.mark.slow
def test_plain_files_of_any_repository_read_for_every_task_and_again_offline(tmp_path: Path) -> None:
    asked: list[Question] = []
    for name, (task, columns, pattern, text, _) in FILES.items():
        own = {"id": f"tiny/{name}", "tasks": [task], "columns": columns, "files": pattern, "codes": "iso1"}
        asked.append((name, "", own, "swh", "test"))
        file = spec_of(own).fill(pattern, "eng", "swh", "test")
        path = tmp_path / "hub" / "datasets" / "tiny" / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    with serve(tmp_path / "hub") as (address, _):
        online = ask(tmp_path, address, asked)
    for name, (*_, first) in FILES.items():
        assert online[name].get("rows", [None])[0] == first, online[name]
    assert len(online["inference"]["rows"]) == 1  # what has no label is no example
    assert ask(tmp_path, "http://127.0.0.1:9", asked, offline=True) == online


@pytest.mark.slow
def test_files_with_other_names_of_a_split_are_found_again_offline(root: Path, tmp_path: Path) -> None:
    asked: list[Question] = [
        ("dev", "sib-200", {"splits": {"dev": ("validation", "dev")}}, "cmn", "dev"),
        ("no file", "sib-200", {"languages": ()}, "lat", "dev"),  # what is not there is remembered as well
        ("no configuration", "xnli", {"languages": ()}, "fin", "dev"),
        ("no folder", "nllb", {"languages": ()}, "fin", "train"),
    ]
    with serve(root) as (address, _):
        online = ask(tmp_path, address, asked)
    assert len(online["dev"]["rows"]) == hub_layouts.ROWS
    for key in ("no file", "no configuration", "no folder"):
        assert online[key]["error"][0] == "NoDataError"
    assert ask(tmp_path, "http://127.0.0.1:9", asked, offline=True) == online


@pytest.mark.slow
def test_a_language_that_a_set_lacks_does_not_hide_the_others(root: Path, tmp_path: Path) -> None:
    asked: list[Question] = [
        ("alone", "opus-100", {}, "deu", "train"),
        ("beside", "opus-100", {}, "bam,cmn,deu", "train"),  # the set has no Bambara, and is asked for it first
        ("lacking", "opus-100", {}, "cmn,deu,bam", "train"),
    ]
    with serve(root) as (address, _):
        found = ask(tmp_path, address, asked)
    assert found["beside"] == found["alone"]
    assert found["lacking"]["error"][0] == "NoDataError"
    assert found["lacking"]["error"][2].endswith("takes it from the first that has it: nllb")


def test_the_layouts_cover_every_set_and_three_languages() -> None:
    assert set(hub_layouts.LANGUAGES) == set(load_sets())
    assert all(len(languages) >= 3 for languages in hub_layouts.LANGUAGES.values())


@pytest.mark.slow
def test_labels_come_by_name_whatever_their_numbers(address: str, tmp_path: Path) -> None:
    old = {"revision": "refs/convert/parquet", "folders": True}
    answers = ask(
        tmp_path,
        address,
        [
            ("new", "udpos", {}, "deu", "dev"),
            ("old", "udpos", old, "deu", "dev"),
            ("older treebank", "udpos", old | {"names": {"ces": "cs_pdt"}}, "ces", "test"),
            ("other treebank", "udpos", {"names": {"deu": "de_lit"}}, "deu", "test"),
            ("main", "udpos", {"revision": "main"}, "deu", "dev"),
            ("xtreme", "xtreme-udpos", {}, "ell", "dev"),
            ("panx", "xtreme-panx", {}, "swh", "dev"),
            ("dates", "masakhaner", {}, "twi", "dev"),
            ("no dates", "masakhaner", {"relabel": {"DATE": "O"}}, "twi", "dev"),
            ("nli", "xnli", {}, "cmn", "dev"),
            ("numbers", "afrixnli", {}, "gaz", "dev"),
        ],
    )
    tags = {key: answer["rows"][0][-1] for key, answer in answers.items() if "rows" in answer}
    assert tags["new"] == tags["old"] == tags["older treebank"] == tags["xtreme"] == ["NOUN", "VERB", "PUNCT"]
    assert answers["old"]["rows"][0][0] == ["deu0+", "dev", "."]  # the multiword token is left out
    assert [row[0][2] for row in answers["main"]["rows"]] == ["v2.18"] * 3
    assert answers["main"]["signature"] != answers["new"]["signature"]
    assert answers["other treebank"]["error"][0] == "NoDataError"
    assert "de_lit" in answers["other treebank"]["error"][1]
    assert tags["panx"] == ["B-PER", "I-PER", "O"]
    assert tags["dates"] == ["B-DATE", "I-DATE", "B-PER"]
    assert tags["no dates"] == ["O", "O", "B-PER"]
    labels = ["entailment", "neutral", "contradiction"]
    assert [row[-1] for row in answers["nli"]["rows"]] == labels == [row[-1] for row in answers["numbers"]["rows"]]


@pytest.mark.slow
def test_offline_each_revision_is_read_as_itself(root: Path, tmp_path: Path) -> None:
    asked: list[Question] = [
        ("pinned", "udpos", {}, "eng", "test"),
        ("main", "udpos", {"revision": "main"}, "eng", "test"),
        ("folders", "udpos", {"revision": "refs/convert/parquet", "folders": True}, "eng", "test"),
        ("never read", "udpos", {"revision": "2.15"}, "eng", "test"),
    ]
    with serve(root) as (address, _):
        online = ask(tmp_path, address, asked)
    offline = ask(tmp_path, "http://127.0.0.1:9", asked, offline=True)
    assert {key: online[key] for key in ("pinned", "main", "folders")} == {
        key: offline[key] for key in ("pinned", "main", "folders")
    }
    assert len({answer["signature"] for answer in online.values() if "signature" in answer}) == 3
    assert "no such revision" in online["never read"]["error"][1]
    assert "not in the cache" in offline["never read"]["error"][1]


@pytest.mark.slow
def test_what_is_wrong_is_said_with_a_way_out(root: Path, address: str, tmp_path: Path) -> None:
    asked: list[tuple[Question, str, str]] = [
        (("program", "masakhapos", {}, "twi", "test"), "no conversion of", "masakhane-pos"),
        (("as it is", "masakhapos", {"revision": None, "folders": False}, "twi", "test"), "a program", "masakhane-pos"),
        (("read before", "nllb", {}, "deu", "train"), "", ""),
        (
            ("other", "nllb", {"id": "masakhane/masakhapos"}, "deu", "train"),
            "no conversion of",
            "opus.nlpl.eu/NLLB",
        ),
        (("gated", "flores", {"id": "gated/flores"}, "twi", "dev"), "gated", "hf auth login"),
        (("gated file", "bouquet", {"id": "gated/bouquet"}, "por", "dev"), "gated", "hf auth login"),
        (("no set", "xnli", {"id": "tiny/nothing"}, "cmn", "dev"), "there is no tiny/nothing", "data.id"),
        (("no file set", "sib-200", {"id": "tiny/nothing"}, "cmn", "dev"), "there is no tiny/nothing", "data.id"),
        (("no file", "sib-200", {"files": "x/{lang}.tsv"}, "cmn", "dev"), "nothing for cmn", "leave cmn out"),
        (("no folder", "nllb", {"languages": ()}, "fin", "train"), "nothing for fin", "leave fin out"),
        (("no configuration", "opus-100", {"languages": ()}, "fin", "train"), "nothing for fin", "leave fin out"),
        (("no split", "afrixnli", {}, "swh", "train"), "no train split", "dev, test"),
        (("language", "xnli", {}, "fin", "test"), "has no fin (fi)", "leave fin out"),
        (("default", "udpos", {}, "gaz", "test"), "no default for gaz", "treebanks"),
        (("column", "sib-200", {"columns": {"label": "topic"}}, "cmn", "dev"), "no column 'topic'", "index_id"),
        (("source", "tatoeba", {"source": "fra"}, "cmn", "test"), "fra only", "another source"),
    ]
    answers = ask(tmp_path, address, [question for question, _, _ in asked])
    assert "rows" in answers.pop("read before")
    for (key, *_), expected, way in asked:
        if key not in answers:
            continue
        assert "error" in answers[key], key
        _, message, hint = answers[key]["error"]
        assert expected in message, (key, message)
        assert way in hint, (key, hint)
        assert "\n" not in message


@pytest.mark.slow
def test_a_set_that_moved_or_answers_late_reads(root: Path, address: str, tmp_path: Path) -> None:
    for owner in ("tiny", "slow"):
        shutil.copytree(root / "datasets" / "facebook" / "xnli", root / "datasets" / owner / "xnli")
        shutil.copytree(root / "datasets" / "Davlan" / "sib200", root / "datasets" / owner / "sib200")
    asked: list[Question] = [
        (f"{owner} {name}", name, {"id": f"{owner}/{repository}"}, "cmn", "dev")
        for owner in ("tiny", "slow", "moved")
        for name, repository in (("xnli", "xnli"), ("sib-200", "sib200"))
    ]
    answers = ask(tmp_path, address, asked)
    for name in ("xnli", "sib-200"):
        rows = [answers[f"{owner} {name}"].get("rows") for owner in ("tiny", "slow", "moved")]
        assert rows[0], answers
        assert rows[0] == rows[1] == rows[2], answers


@pytest.mark.slow
def test_what_a_later_commit_has_no_more_is_not_taken_from_the_cache(tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    hub_layouts.build(before, {"opus-100": ("deu", "fin")})
    hub_layouts.build(after, {"opus-100": ("deu",)})
    (after / "datasets" / "Helsinki-NLP" / "opus-100" / "CHANGES").write_text("no Finnish", encoding="utf-8")
    asked: list[Question] = [(code, "opus-100", {}, code, "train") for code in ("deu", "fin")]
    with serve(before) as (address, _):
        first = ask(tmp_path, address, asked)
    with serve(after) as (address, _):
        second = ask(tmp_path, address, asked)
    assert first["deu"]["rows"] == second["deu"]["rows"]
    assert first["deu"]["signature"] != second["deu"]["signature"]
    assert "nothing for fin" in second["fin"]["error"][1]


def test_a_clone_stands_for_the_repository(tmp_path: Path) -> None:
    for name, pattern, tags in (
        ("masakhapos", "data/{lang}/{split}.txt", ("NOUN", "VERB", "PUNCT")),
        ("masakhaner", "MasakhaNER2.0/data/{lang}/{split}.txt", ("B-DATE", "O", "O")),
    ):
        folder = tmp_path / name
        hub_layouts.clone(folder, pattern, tags)
        hub = Hub(alter(load_sets()[name], {"path": str(folder)}), "eng", ["swh", "bam"])
        assert [row.words[0] for row in hub.sentences("swh", "dev")] == ["swa0", "swa1", "swa2"]
        assert hub.sentences("bam", "train")[0].tags == tags
        before = hub.signature
        with pytest.raises(NoDataError, match="there is no"):
            hub.sentences("yor", "dev")
        moved = folder.rename(tmp_path / f"{name}-elsewhere")
        again = Hub(alter(load_sets()[name], {"path": str(moved)}), "eng", ["swh", "bam"])
        assert again.signature == before  # where it lies does not matter
        (moved / pattern.format(lang="bam", split="test")).write_text("x NOUN\n", encoding="utf-8")
        assert again.signature != before  # what is in it does
