"""The known sets as the hub has them: names of files, configurations, splits, columns and labels, with a few rows each.

`build` writes them under a root for `loopback_hub.serve`. `LANGUAGES` says which languages each holds here: three or
more, of odd spelling where the set has such. Rows differ by language and split, so that a mix-up shows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from hub_files import card, table, write, write_text

from realign.hub.sets import Spec, load_sets

SPLITS = ("train", "dev", "test")
ROWS = 3  # of a split
CONVERTED = "@refs+convert+parquet"

LANGUAGES: Mapping[str, Sequence[str]] = {
    "opus-100": ("deu", "cmn", "zsm", "ekk"),
    "nllb": ("als", "ekk", "cmn", "deu"),
    "smol": ("mos", "swh", "yue"),
    "ntrex": ("lvs", "cmn", "tgl"),
    "tatoeba": ("arb", "ekk", "cmn"),
    "xtreme-tatoeba": ("arb", "ekk", "swh"),
    "flores": ("twi", "cmn", "tgl", "ekk"),
    "bouquet": ("cmn", "kor", "por"),
    "udpos": ("eng", "deu", "ces", "yor"),
    "xtreme-udpos": ("eng", "cmn", "yor", "ell"),
    "masakhapos": ("swh", "bam", "twi"),
    "wikiann": ("eng", "nob", "yue", "gsw", "nan", "vro", "als"),
    "xtreme-panx": ("eng", "swh", "zsm"),
    "masakhaner": ("swh", "bam", "twi"),
    "xnli": ("eng", "cmn", "swh"),
    "afrixnli": ("eng", "swh", "gaz"),
    "americasnli": ("ayr", "gug", "quy"),
    "sib-200": ("eng", "cmn", "ekk", "gug"),
    "masakhanews": ("eng", "swh", "gaz"),
}
TEST_ONLY = {("udpos", "yor"), ("xtreme-udpos", "yor")}

UD_OLD = [
    "NOUN", "PUNCT", "ADP", "NUM", "SYM", "SCONJ", "ADJ", "PART", "DET", "CCONJ", "PROPN", "PRON", "X", "_", "ADV",
    "INTJ", "VERB", "AUX",
]  # fmt: skip
XTREME = [
    "ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM", "PART", "PRON", "PROPN", "PUNCT", "SCONJ", "SYM",
    "VERB", "X",
]  # fmt: skip
ENTITIES = ["O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC"]
NLI = ("entailment", "neutral", "contradiction")
TAGS = ("NOUN", "VERB", "PUNCT")


@dataclass(frozen=True)
class Repositories:
    """Where the data sets are written, and the languages of each."""

    root: Path
    languages: Mapping[str, Sequence[str]]

    def each(self, name: str) -> list[tuple[Spec, str, str, str]]:
        """The set, language, our split, and the set's name of it: the first where there are several."""
        spec = load_sets()[name]
        rows = [(language, split) for language in self.languages[name] for split in splits_of(name, language)]
        return [(spec, language, split, spec.splits[split][0]) for language, split in rows]


def build(root: Path, languages: Mapping[str, Sequence[str]] = LANGUAGES) -> None:
    """Write the sets that `languages` names. Nothing is written of `masakhapos`: on the hub it is a program alone."""
    hub = Repositories(root / "datasets", languages)
    for name in [name for name in MAKERS if name in languages]:
        MAKERS[name](hub, name)
    for program in ("allenai/nllb", "masakhane/masakhapos", "masakhane/masakhaner2", "masakhane/masakhanews"):
        folder = hub.root / program
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{program.split('/')[1]}.py").write_text("raise SystemExit", encoding="utf-8")


def splits_of(name: str, language: str) -> tuple[str, ...]:
    """Our names of the splits that a set has of a language."""
    return ("test",) if (name, language) in TEST_ONLY else tuple(load_sets()[name].splits)


def words(language: str, split: str, row: int) -> list[str]:
    """The three words of a row: they name where they are from."""
    return [f"{language}{row}", split, "."]


def sentence(language: str, split: str, row: int) -> str:
    return " ".join(words(language, split, row))


def clone(folder: Path, pattern: str, tags: Sequence[str], codes: Sequence[str] = ("swa", "bam", "twi")) -> None:
    """Text of words and tags in files, as Masakhane's repositories have it."""
    for code in codes:
        for split in SPLITS:
            file = folder / pattern.format(lang=code, split=split)
            file.parent.mkdir(parents=True, exist_ok=True)
            lines = ["\n".join(map(" ".join, zip(words(code, split, row), tags, strict=True))) for row in range(ROWS)]
            file.write_text("\n\n".join(lines) + "\n", encoding="utf-8")


def _parquet(
    hub: Repositories, name: str, columns: Callable[[str, str], dict[str, Any]], classes: Mapping[str, Any]
) -> None:
    """Configurations in parquet, with a card that says which files are whose."""
    folder = hub.root / load_sets()[name].id
    configs: dict[str, list[tuple[str, str]]] = {}
    for spec, language, split, theirs in hub.each(name):
        config = spec.fill(spec.config, "eng", language)
        file = f"{config}/{theirs}-00000-of-00001.parquet"
        configs.setdefault(config, []).append((theirs, file))
        write(folder / file, table(columns(language, split), classes))
    card(folder, configs)


def _folders(
    hub: Repositories, name: str, columns: Callable[[str, str], dict[str, Any]], classes: Mapping[str, Any]
) -> None:
    """The hub's own conversion: <configuration>/<split>/0000.parquet, of another revision than main."""
    folder = hub.root / (load_sets()[name].id + CONVERTED)
    for spec, language, split, theirs in hub.each(name):
        config = spec.fill(spec.config, "eng", language)
        write(folder / config / theirs / "0000.parquet", table(columns(language, split), classes))


def _udpos(hub: Repositories, name: str) -> None:
    """Today's revisions, named by the version of UD, and the conversion of 2020 with other splits and label numbers."""
    base = hub.root / load_sets()[name].id
    for folder, version in ((base, "2.18"), (base.with_name(f"{base.name}@2.17"), "2.17")):
        configs: dict[str, list[tuple[str, str]]] = {}
        for spec, language, split, theirs in hub.each(name):
            config = spec.code(language)
            file = f"{config}/{theirs}.parquet"
            rows = [[*words(language, split, row)[:2], f"v{version}"] for row in range(ROWS)]
            configs.setdefault(config, []).append((theirs, file))
            write(folder / file, pa.table({"tokens": rows, "upos": [list(TAGS)] * ROWS, "head": [["0"] * 3] * ROWS}))
        card(folder, configs)
    old = base.with_name(base.name + CONVERTED)
    for _, language, split, theirs in hub.each(name):
        config = {"ces": "cs_pdt"}.get(language, load_sets()[name].code(language))
        rows = [[f"{word}+" if i == 0 else word for i, word in enumerate(words(language, split, 0))]]
        rows = [["whole", *row] for row in rows]  # a multiword token before its parts
        tags = [[UD_OLD.index(tag) for tag in ("_", *TAGS)]]
        where = old / config / {"dev": "validation"}.get(theirs, theirs) / "0000.parquet"
        write(where, table({"tokens": rows, "upos": tags}, {"upos": UD_OLD}))


def _afrixnli(hub: Repositories, name: str) -> None:
    """TSV written without quoting: one mark without its partner."""
    for spec, language, _, theirs in hub.each(name):
        rows = [
            "premise\thypothesis\tlabel",
            f'"{sentence(language, theirs, 0)}\tb c\t0',
            f"{sentence(language, theirs, 1)}\tb c\t1",
            f"{sentence(language, theirs, 2)}\tb c\t2",
        ]
        write_text(hub.root / spec.id / f"data/{spec.code(language)}/{theirs}.tsv", rows)


def _sib(hub: Repositories, name: str) -> None:
    """TSV as table programs write it: cells with a mark are quoted, and marks in them doubled."""
    for spec, language, split, theirs in hub.each(name):
        rows = ["index_id\tcategory\ttext"]
        rows += [f'{row}\ttravel\t"{sentence(language, split, row)} ""x"""' for row in range(ROWS)]
        file = {"validation": "dev"}.get(theirs, theirs)
        write_text(hub.root / spec.id / f"data/{spec.code(language)}/{file}.tsv", rows)


def _news(hub: Repositories, name: str) -> None:
    for spec, language, split, theirs in hub.each(name):
        rows = ["category\theadline\ttext\turl"]
        rows += [f"health\t{sentence(language, split, row)}\tlong text\thttp://x" for row in range(ROWS)]
        file = {"validation": "dev"}.get(theirs, theirs)
        write_text(hub.root / spec.id / f"data/{spec.code(language)}/{file}.tsv", rows)


def _ntrex(hub: Repositories, name: str) -> None:
    spec = load_sets()[name]
    columns = {spec.code(language): _sentences(language, "test") for language in ("eng", *hub.languages[name])}
    write(hub.root / spec.id / "data" / "test-00000-of-00001.parquet", pa.table(columns))


def _jsonl(hub: Repositories, name: str, file: str, row: Callable[[str, str, int], dict[str, Any]]) -> None:
    """Configurations of one JSON Lines file a split."""
    folder = hub.root / load_sets()[name].id
    configs: dict[str, list[tuple[str, str]]] = {}
    for spec, language, split, theirs in hub.each(name):
        path = file.format(lang=spec.code(language), split=theirs)
        configs.setdefault(spec.fill(spec.config, "eng", language), []).append((theirs, path))
        write_text(folder / path, [json.dumps(row(language, split, number)) for number in range(ROWS)])
    card(folder, configs)


def _flores(hub: Repositories, name: str) -> None:
    folder = hub.root / load_sets()[name].id
    configs: dict[str, list[tuple[str, str]]] = {}
    for language in ("eng", *hub.languages[name]):
        for split, theirs in (("dev", "dev"), ("test", "devtest")):
            code = load_sets()[name].code(language)
            configs.setdefault(code, []).append((theirs, f"{theirs}/{code}.jsonl"))
            rows = [{"id": row, "text": sentence(language, split, row)} for row in range(ROWS)]
            write_text(folder / theirs / f"{code}.jsonl", [json.dumps(row) for row in rows])
    card(folder, configs)


def _bouquet(hub: Repositories, name: str) -> None:
    for spec, language, split, theirs in hub.each(name):
        file = hub.root / spec.id / spec.fill(str(spec.files), "eng", language, theirs)
        write(file, pa.table({"src_text": _sentences(language, split), "tgt_text": _sentences("eng", split)}))


def _sentences(language: str, split: str) -> list[str]:
    return [sentence(language, split, row) for row in range(ROWS)]


def _pairs(name: str) -> Callable[[str, str], dict[str, Any]]:
    spec = load_sets()[name]

    def columns(language: str, split: str) -> dict[str, Any]:
        ours, theirs = spec.code("eng"), spec.code(language)
        both = zip(_sentences("eng", split), _sentences(language, split), strict=True)
        return {"translation": [{ours: left, theirs: right} for left, right in both]}

    return columns


def _two(ours: str, theirs: str) -> Callable[[str, str], dict[str, Any]]:
    return lambda language, split: {ours: _sentences("eng", split), theirs: _sentences(language, split)}


def _tagged(tags: str, names: Sequence[str], some: Sequence[str]) -> Callable[[str, str], dict[str, Any]]:
    return lambda language, split: {
        "tokens": [words(language, split, row) for row in range(ROWS)],
        tags: [[names.index(tag) for tag in some]] * ROWS,
    }


def _nli(language: str, split: str) -> dict[str, Any]:
    return {"premise": _sentences(language, split), "hypothesis": ["b c"] * ROWS, "label": list(range(ROWS))}


Maker = Callable[[Repositories, str], None]
PERSON = ("B-PER", "I-PER", "O")
MAKERS: Mapping[str, Maker] = {
    "opus-100": lambda hub, name: _parquet(hub, name, _pairs(name), {}),
    "nllb": lambda hub, name: _folders(hub, name, _pairs(name), {}),
    "smol": lambda hub, name: _jsonl(
        hub, name, "smolsent/en_{lang}.jsonl",
        lambda code, split, row: {"id": row, "src": sentence("eng", split, row), "trg": sentence(code, split, row)},
    ),
    "ntrex": _ntrex,
    "tatoeba": lambda hub, name: _jsonl(
        hub, name, "{split}/{lang}-eng.jsonl",
        lambda code, split, row: {"sentence1": sentence(code, split, row), "sentence2": sentence("eng", split, row)},
    ),
    "xtreme-tatoeba": lambda hub, name: _xtreme(hub),
    "flores": _flores,
    "bouquet": _bouquet,
    "udpos": _udpos,
    "wikiann": lambda hub, name: _parquet(
        hub, name, _tagged("ner_tags", ENTITIES, PERSON), {"ner_tags": ENTITIES}
    ),
    "masakhaner": lambda hub, name: _folders(
        hub, name, _tagged("ner_tags", DATED, ("B-DATE", "I-DATE", "B-PER")), {"ner_tags": DATED}
    ),
    "xnli": lambda hub, name: _parquet(hub, name, _nli, {"label": NLI}),
    "afrixnli": _afrixnli,
    "americasnli": lambda hub, name: _parquet(hub, name, _nli, {"label": NLI}),
    "sib-200": _sib,
    "masakhanews": _news,
}  # fmt: skip
DATED = [*ENTITIES, "B-DATE", "I-DATE"]


def _xtreme(hub: Repositories) -> None:
    """One repository of several benchmarks: its card has the configurations of all."""
    folder = hub.root / "google" / "xtreme"
    configs: dict[str, list[tuple[str, str]]] = {}
    makers: dict[str, tuple[Callable[[str, str], dict[str, Any]], dict[str, Any]]] = {
        "xtreme-tatoeba": (_two("target_sentence", "source_sentence"), {}),
        "xtreme-udpos": (_tagged("pos_tags", XTREME, TAGS), {"pos_tags": XTREME}),
        "xtreme-panx": (_tagged("ner_tags", ENTITIES, PERSON), {"ner_tags": ENTITIES}),
    }
    for name, (columns, classes) in makers.items():
        for spec, language, split, theirs in hub.each(name):
            config = spec.fill(spec.config, "eng", language)
            file = f"{config}/{theirs}-00000-of-00001.parquet"
            if (theirs, file) not in configs.setdefault(config, []):
                configs[config].append((theirs, file))
                write(folder / file, table(columns(language, split), classes))
    card(folder, configs)
