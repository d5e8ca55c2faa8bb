"""What a person takes away from a study: the best confirmed subset, how to realign on it, and why to believe in it."""

from __future__ import annotations

import json
import math
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from realign.cache import write_text
from realign.core import FakeModel
from realign.data_sets import HubSet
from search.config.study_config import StudyConfig
from search.confirmation.comparison import check_schema
from search.confirmation.significance import format_p
from search.output_folder import vacant
from search.report.markdown import plain, quoted
from search.report.staleness import allowed_rows, stale
from search.study.provenance import versions
from search.study.study import Study, open_study
from selector.errors import InputError

BASELINES = ("none", "all", "random-k")
FOLDERS = ("base", "folder", "path", "dictionary", "alignments")  # keys of a study file that may name one
CALLED = {"none": "no realignment", "all": "all languages", "random-k": "random of the same size"}


def export(config: StudyConfig, output: Path, row: str | None = None) -> dict[str, Any]:
    """Write subset.json, realign.toml, README.md and report.html to the new or empty folder `output`, all or nothing.

    `row` names the confirmed candidate to export; None: the one with the highest mean. Answers with subset.json plus
    the paths written. InputError if the study is not confirmed, has no such candidate or forbids it by now, or the
    folder is in use.
    """
    output = vacant(Path(output))
    confirmed = _confirmed(config)
    subset = _subset(config, open_study(config, create=False), confirmed, row)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=output.parent, prefix=f".{output.name}."))
    except OSError as problem:
        raise InputError(f"cannot write to {output.parent}: {problem}", "name a folder you may write to") from None
    try:
        write_text(part / "subset.json", json.dumps(subset, indent=1, ensure_ascii=False) + "\n")
        write_text(part / "realign.toml", _realignment(config, subset, output))
        write_text(part / "README.md", _card(config, subset, confirmed))
        write_text(part / "report.html", _report(config))
        os.chmod(part, 0o755)
        os.replace(part, output)  # takes the place of an empty folder
    except OSError as problem:
        message = f"cannot write to {output}: {problem.strerror or problem}"
        raise InputError(message, "nothing was exported: make room, or name another folder with -o") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return {**subset, "path": str(output), "files": sorted(file.name for file in output.iterdir())}


def _confirmed(config: StudyConfig) -> dict[str, Any]:
    file = config.folder / "confirm.json"
    hint = f"run 'realingo confirm {config.path.name}' first"
    try:
        document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        rows = {row["name"]: row for row in document["rows"]}
    except FileNotFoundError:
        raise InputError(f"study '{config.name}' is not confirmed: there is no {file}", hint) from None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as problem:
        raise InputError(f"{file} cannot be read: {problem}", f"{hint}, which writes it again") from None
    check_schema(document, file)
    if missing := [name for name in ("best", *BASELINES) if name not in rows]:
        raise InputError(f"{file} has no row {', '.join(missing)}", f"{hint}, which writes it again")
    strangers = set(rows["best"]["languages"]) - {language.code for language in config.pool}
    if document.get("study") != config.name or strangers:
        raise InputError(f"{file} is of another study or pool", hint)
    return document


def _subset(config: StudyConfig, study: Study, confirmed: Mapping[str, Any], asked: str | None) -> dict[str, Any]:
    """The candidate asked for, or that with the highest confirmed mean; of equals the one the search ranked higher.

    Candidates are the subsets the search found and the one chosen without measuring: all were named before a fresh
    seed was drawn. All languages, none, and random draws are what they are compared with.
    """
    rows = {row["name"]: row for row in confirmed["rows"]}
    named = [row for name, row in rows.items() if name not in BASELINES and not name.startswith("random-")]
    if asked is not None and asked not in [row["name"] for row in named]:
        known = ", ".join(row["name"] for row in named)
        raise InputError(f"no candidate '{asked}' was confirmed", f"the confirmed candidates are {known}")
    named = allowed_rows(config, named, asked)
    # the search may have found again what was chosen without measuring; the first name then stands for both
    found = list({tuple(row["languages"]): row for row in reversed(named)}.values())[::-1]
    best = rows[asked] if asked is not None else max(found, key=lambda row: row["mean"])
    score = {key: best[key] for key in ("mean", "std", "ci95", "seeds", "held_out", "members", "non_members")}
    gains = {f"vs_{name.removesuffix('-k')}": best[f"vs_{name.removesuffix('-k')}"] for name in BASELINES}
    others = [name for name in rows if not name.startswith("best") and name != best["name"]]
    return {
        "schema": 1,
        "name": config.name,
        "languages": best["languages"],
        "source": config.core.source.code,
        "metric": config.core.task.metric,
        "score": {**score, **gains, "per_language": best["per_language"], "regressions": best["regressions"]},
        "baselines": {
            name: {key: rows[name][key] for key in ("languages", "mean", "ci95", "held_out")} for name in others
        },
        "row": best["name"],
        "reason": _reason(best, found) if asked is None else "it was asked for by its name",
        "stale": stale(config, study, confirmed, named),
        "signature": best["signature"],
        "study": config.path.name,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {**confirmed["versions"], **versions()},
    }


def _reason(best: Mapping[str, Any], candidates: Sequence[Mapping[str, Any]]) -> str:
    """Why this subset, in plain words. Choosing the highest of several confirmed means is again a small selection."""
    if len(candidates) == 1:
        return "it is the only candidate that was confirmed"
    how = "found by the search" if best["name"].startswith("best") else "chosen without measuring"
    others = ", ".join(f"{row['name']} {100 * row['mean']:.1f}" for row in candidates if row is not best)
    return (
        f"{best['name']}, {how}, has the highest mean of {len(candidates)} candidates on fresh seeds, "
        f"{100 * best['mean']:.1f} (others: {others}); as the highest of several it may be a little lower in truth"
    )


def _realignment(config: StudyConfig, subset: Mapping[str, Any], output: Path) -> str:
    """A file that needs no study: what to realign, on what, and how; at the full fidelity of the study."""
    head = {
        "name": config.name,
        "seed": config.seed,
        "languages": subset["languages"],
        "source": config.core.source.code,
    }
    lines = [
        f"# The realignment chosen by the study '{config.name}'; run it with: realingo realign DIR -o MODEL_DIR",
        *(f"{key} = {_toml(value)}" for key, value in head.items()),
    ]
    for name in ("model", "data", "task", "realign"):
        section = getattr(config.core, name).document(without_none=True)
        lines += ["", f"[{name}]"]
        said = {key: _placed(config, key, value, output) for key, value in section.items() if value != ""}
        lines += [f"{key} = {_toml(value)}" for key, value in said.items()]
    return "\n".join(lines) + "\n"


def _placed(config: StudyConfig, key: str, value: Any, output: Path) -> Any:
    """Folders that were relative to the study file become relative to the exported one; others stay as they are."""
    if isinstance(value, dict):
        return {inner: _placed(config, inner, item, output) for inner, item in value.items()}
    if isinstance(value, list):
        return [_placed(config, key, item, output) for item in value]
    named = key in FOLDERS and isinstance(value, str) and value != "world"
    absolute = named and (Path(value).is_absolute() or value.startswith("~"))
    if not named or not value or absolute or not (config.core.home / value).is_dir():
        return value
    # ".." in a path that goes through a link would lead elsewhere
    return os.path.relpath(os.path.realpath(config.core.home / value), os.path.realpath(output))


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    # JSON strings, numbers and booleans are TOML, but for one character; floats keep a point or an exponent
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _report(config: StudyConfig) -> str:
    from search.report import html_report

    return html_report.page(config)


def _card(config: StudyConfig, subset: Mapping[str, Any], confirmed: Mapping[str, Any]) -> str:
    """The model card."""
    names = {language.code: language for language in (*config.pool, *config.tune, *config.held_out)}
    score = subset["score"]
    members = "\n".join(
        f"| {code} | {names[code].name} | {names[code].family} | {names[code].script} | {_measured(score, code)} |"
        for code in subset["languages"]
    )
    rows = "\n".join(_row_line(row) for row in confirmed["rows"])
    gains = "\n".join(f"- over {CALLED[name]}: {_gain(score, name)}" for name in BASELINES)
    worse = ", ".join(names[code].name for code in score["regressions"]) or "none"
    used = ", ".join(f"{name} {number}" for name, number in subset["versions"].items())
    luck = 100 * confirmed["luck"]["difference"]
    core = config.core
    base = core.model.base
    encoder = f"{base.kind} (a rehearsal: no encoder was trained)" if isinstance(base, FakeModel) else quoted(base)
    return f"""# {plain(config.name)}: realigned on {len(subset["languages"])} languages

Source language {core.source.name} (`{core.source.code}`), encoder {encoder}, task {core.task.kind}.

| code | language | family | script | {core.task.metric} |
|---|---|---|---|---|
{members}

## Confirmed

{len(confirmed["seeds"])} fresh seeds on the test split, {len(config.tune)} target languages, zero-shot;
{core.task.metric} in percent.
Intervals hold 95 %: {plain(confirmed["method"])}.

Why this subset: {plain(subset["reason"])}.
{_stale(subset)}
Mean {core.task.metric} {_span(score)}. Gain:
{gains}

| subset | languages | mean | held-out languages |
|---|---|---|---|
{rows}

Languages significantly worse than without realignment: {worse}.
Winner's luck, the search value less the same subset's value on fresh seeds: {luck:+.1f}.

## Data and settings

- Parallel text: {_told(core.data.parallel)}; {_tested(config)}: {_told(core.task_data)}{_trained(config)}
- Realignment: {core.realign.loss} loss, {core.realign.steps} steps of {core.realign.batch} pairs, in all
- Fine-tuning: {_tuning(config)}
- Held out from the search: {", ".join(language.name for language in config.held_out) or "none"}
- Signature {quoted(subset["signature"])}; versions: {plain(used)}

## Use

`realingo realign . -o MODEL_DIR` in this folder repeats exactly this realignment and writes a checkpoint that
`transformers.AutoModel.from_pretrained` loads. `subset.json` holds the numbers, `report.html` shows them.
"""


def _stale(subset: Mapping[str, Any]) -> str:
    """What no longer holds, as a list; empty where all does."""
    return "".join(f"\n**No longer up to date:** {plain(line)}.\n" for line in subset["stale"])


def _told(source: Any) -> str:
    if isinstance(source, str):
        return source
    if isinstance(source, tuple):
        return ", ".join(_told(each) for each in source)
    if isinstance(source, HubSet):
        return f"{plain(source.name or source.id)} of the hub"
    return f"{source.kind} in {quoted(source.folder)}"


def _trained(config: StudyConfig) -> str:
    return f", trained on {_told(config.core.task.train)}" if config.core.task.train else ""


def _tested(config: StudyConfig) -> str:
    return "sentences to retrieve" if config.core.task.kind == "retrieval" else "labelled text"


def _tuning(config: StudyConfig) -> str:
    task = config.core.task
    if task.kind == "retrieval":
        return "none"
    return f"{task.training} of {task.batch} sentences of {config.core.source.name}"


def _span(cell: Mapping[str, Any]) -> str:
    return f"{100 * cell['mean']:.1f} ({100 * cell['ci95'][0]:.1f} to {100 * cell['ci95'][1]:.1f})"


def _measured(score: Mapping[str, Any], code: str) -> str:
    return f"{100 * score['per_language'].get(code, math.nan):.1f}"


def _gain(score: Mapping[str, Any], baseline: str) -> str:
    cell = score[f"vs_{baseline.removesuffix('-k')}"]
    low, high = (100 * end for end in cell["ci95"])
    return f"{100 * cell['difference']:+.1f} points ({low:+.1f} to {high:+.1f}, {format_p(cell['p'])})"


def _row_line(row: Mapping[str, Any]) -> str:
    languages = " ".join(row["languages"]) if 0 < len(row["languages"]) <= 12 else f"{len(row['languages'])} languages"
    languages = f"{len(row['draws'])} draws" if "draws" in row else languages
    cells = plain(row["name"]), plain(languages), _span(row), _span(row["held_out"]) if row["held_out"] else ""
    return f"| {' | '.join(cells)} |"


def render(document: Mapping[str, Any]) -> str:
    """What was found and where it lies, in a few lines."""
    score = document["score"]
    lines = [
        f"best subset: {' '.join(document['languages'])}",
        f"why: {document['reason']}",
        f"mean {document['metric']}: {_span(score)} %",
    ]
    lines += [f"gain over {CALLED[name]}: {_gain(score, name)}" for name in BASELINES]
    lines += [f"no longer up to date: {line}" for line in document["stale"]]
    lines += [f"report: {Path(document['path']) / 'report.html'}", f"export: {document['path']}"]
    return "\n".join(lines)
