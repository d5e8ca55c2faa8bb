"""The page of the documentation on the known data sets, made from the same table that they are read by.

python -m realign.hub.page docs/hub.md
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from realign.cache import write_text
from realign.hub.sets import SPLITS, Spec, load_sets
from selector.languages.language import parse_pool

WIDTH = 110  # characters of a line of codes
TASKS = {
    "parallel": "Parallel text",
    "pos": "Parts of speech",
    "ner": "Entities",
    "classification": "Classified sentences",
}
CODES = {
    "iso1": "ISO 639-1 where there is one (`de`), else ISO 639-3",
    "iso3": "ISO 639-3 (`deu`)",
    "flores": "ISO 639-3 and the script (`deu_Latn`)",
    "named": "only the languages below have a default",
}
INTRO = """# Data sets of the hub

This page is made from the table by which the sets are read (`realign/data/hub.toml`) with
`python -m realign.hub.page docs/hub.md`; do not edit it.

A study names a set, or several in a list: then each language comes from the first set that has it. The log and
`realingo check` say from which.

```toml
[data]
parallel = [{name = "opus-100"}, {name = "nllb"}, {name = "smol"}]
[task]
kind = "pos"
data = [{name = "udpos"}, {name = "masakhapos"}]
```

What a study says beside a name is added to the table or takes its place: `names = {deu = "de"}` (codes of
languages in the set), `splits = {dev = "test"}`, `columns = {…}`, `labels = {DATE = "O"}`, `revision = "…"`,
`path = "folder"` (a clone of the files on this machine). A set that is not in the table is described in the same
words: `{id = "owner/name", …}`; its text may be configurations (`config = "{lang}"`) or plain files (`files =
"data/{lang}/{split}.tsv"`, also `.jsonl`, `.parquet`, `.txt`, `.conll` and `.conllu`; all but parquet may end in
`.gz`).

Language codes of a study are ISO 639-3; the tables below show each set's own codes. `paper-65` are the 65 languages of
[arXiv 2511.06497](https://arxiv.org/abs/2511.06497).

Of large parquet files only as many parts are fetched as the study's sample of pairs needs (`data.pairs`). JSON
Lines and tables are downloaded whole and read line by line, in little memory: to fetch less of such a set, take the
hub's own conversion to parquet (`revision = "refs/convert/parquet", folders = true`). What was read once is read
again offline (`HF_HUB_OFFLINE=1`).

**The table follows public material: dataset pages, loaders, and code that reads the sets; no set was downloaded
for it. What that material did not establish is named under *Not established*, with the month.** Programs of a
repository are never run.
"""


def page(sets: Mapping[str, Spec]) -> str:
    """Page of the documentation on the data sets `sets`, in Markdown."""
    paper = [language.code for language in parse_pool("paper-65")]
    parts = [INTRO, *_overview(sets, paper), *_overlaps(sets)]
    for task, title in TASKS.items():
        parts += ["", f"## {title}"]
        for name, spec in sets.items():
            if task in spec.tasks:
                parts += ["", *_section(name, spec, task, paper)]
    return "\n".join(parts) + "\n"


def _overview(sets: Mapping[str, Spec], paper: list[str]) -> Iterator[str]:
    yield "## All sets"
    yield ""
    yield "| set | for | languages | of paper-65 | splits | licence | checked | all established |"
    yield "|---|---|---|---|---|---|---|---|"
    for name, spec in sets.items():
        use = ", ".join(TASKS[task].lower() for task in spec.tasks)
        sure = "no" if spec.unsure else "yes"
        counts = f"{_count(spec)} | {_coverage(spec, paper)}"
        splits, licence = ", ".join(spec.splits), spec.licence.partition(";")[0]
        yield f"| [{name}](#{name}) | {use} | {counts} | {splits} | {licence} | {spec.checked} | {sure} |"
    yield ""


def _overlaps(sets: Mapping[str, Spec]) -> Iterator[str]:
    """Texts that the data sets are made of, as `realign.build.overlap` compares them."""
    yield "## Sets that share their text"
    yield ""
    yield "If an encoder is realigned on the text of a test, it has seen the test before. So two sets made from the"
    yield "same text (one row) cannot be the parallel text and the test of one study, unless they are one set with two"
    yield "splits. If a set only may contain the text, there is a warning."
    yield ""
    yield "| text | sets made from it | sets that may contain it |"
    yield "|---|---|---|"
    texts = sorted({text for spec in sets.values() for text in (*spec.text, *spec.may_hold)})
    for text in texts:
        own = [name for name, spec in sets.items() if text in spec.text]
        maybe = [name for name, spec in sets.items() if text in spec.may_hold]
        yield f"| {text} | {', '.join(own)} | {', '.join(maybe)} |"
    yield '| bible | text of the kind `"verses"` | |'


def _section(name: str, spec: Spec, task: str, paper: list[str]) -> Iterator[str]:
    yield f"### {name}"
    yield ""
    yield " ".join(spec.about.split())
    yield ""
    key = "parallel" if task == "parallel" else "data"
    yield f'- In a study file: `{key} = {{name = "{name}"}}`'
    yield f"- Repository: [{spec.id}](https://huggingface.co/datasets/{spec.id}), {_revision(spec)}"
    yield f"- Layout: {_layout(spec)}"
    yield f"- Columns: {', '.join(f'{role} `{column}`' for role, column in spec.columns.items())}"
    yield f"- Splits: {_splits(spec)}"
    if spec.source:
        yield f"- Source language: `{spec.source}` alone"
    yield f"- Spelling of languages: {_spelling(spec)}"
    yield f"- Of paper-65: {_coverage(spec, paper)}{_gaps(spec, paper)}"
    if spec.licence:
        yield f"- Licence: {spec.licence}"
    if spec.text or spec.may_hold:
        yield f"- Made from the text: {', '.join((*spec.text, *(f'perhaps {text}' for text in spec.may_hold)))}"
    if spec.home:
        yield f"- Also to download by hand: {spec.home}"
    yield f"- Checked: {spec.checked}"
    if spec.unsure:
        yield f"- **Not established** ({spec.checked}): {spec.unsure}"
    yield from _list(spec)


def _revision(spec: Spec) -> str:
    if spec.revision is None:
        return "branch `main`; a study keeps the commit that it first read"
    return f"revision `{spec.revision}`"


def _layout(spec: Spec) -> str:
    if spec.files is not None:
        return f"plain files `{spec.files}`"
    kind = "a folder of parquet files" if spec.folders else "a configuration"
    clone = f"; a clone on this machine (`path = …`) has files `{spec.clone}`" if spec.clone else ""
    return f"{kind} `{spec.config}`{clone}"


def _splits(spec: Spec) -> str:
    """Our names of the splits, with the set's own where they differ."""
    absent = [split for split in SPLITS if split not in spec.splits]
    some = [
        split if theirs == (split,) else f"{split} (`{'` or `'.join(theirs)}`)" for split, theirs in spec.splits.items()
    ]
    return ", ".join(some) + (f"; no {' and no '.join(absent)}" if absent else "")


def _spelling(spec: Spec) -> str:
    if spec.codes == "named":
        return CODES["named"]
    other = ", ".join(f"{ours} `{theirs}`" for ours, theirs in sorted(spec.names.items()))
    return CODES[spec.codes] + (f"; otherwise: {other}" if other else "")


def _count(spec: Spec) -> str:
    return str(len(spec.names if spec.codes == "named" else spec.languages) or "not listed")


def _is_listed(spec: Spec) -> bool:
    return spec.codes == "named" or bool(spec.languages)


def _coverage(spec: Spec, paper: list[str]) -> str:
    return str(sum(spec.lists_language(code) for code in paper)) if _is_listed(spec) else "not listed"


def _gaps(spec: Spec, paper: list[str]) -> str:
    lacking = [code for code in paper if not spec.lists_language(code)] if _is_listed(spec) else []
    return f" (without {' '.join(lacking)})" if lacking else ""


def _list(spec: Spec) -> Iterator[str]:
    """Every language of the set, in its own spelling; of named parts with ours before it."""
    codes: Iterable[str] = spec.languages
    if spec.codes == "named":
        codes = (f"{ours}={theirs}" for ours, theirs in sorted(spec.names.items()))
    text = " ".join(codes)
    if text:
        yield ""
        yield f"Its {_count(spec)} languages:"
        yield ""
        yield "```text"
        yield from textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)
        yield "```"


if __name__ == "__main__":
    write_text(Path(sys.argv[1]), page(load_sets()))
