"""What a person takes away from a study: the best confirmed subset, how to realign on it, and why to believe in it."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import tomli_w

from realign.cache import write_text
from search.config.realign_file import MergingSection
from search.config.study_config import StudyConfig
from search.confirmation import choice
from search.confirmation.confirm_file import ConfirmationFile
from search.confirmation.recommend import Recommender
from search.confirmation.verdict import verdict
from search.effort.fidelities import Fidelities
from search.export import export_card
from search.output_folder import vacant
from search.report import html_report
from search.results.confirmation import Confirmation, ConfirmedRow
from search.results.exported_subset import Baseline, Export, ExportedSubset, MergedScore
from search.results.words import percent, span
from search.study.provenance import versions
from search.study.study import Study, open_study
from selector.errors import InputError

FOLDERS = ("base", "folder", "path", "dictionary", "alignments")  # keys of a study file that may name one


def export(config: StudyConfig, output: Path, row: str | None = None) -> Export:
    """Write subset.json, realign.toml, README.md and report.html to the new or empty folder `output`, all or nothing.

    `row` names the confirmed candidate to export; None: the one with the highest mean. Answers with subset.json plus
    the paths written. InputError if the study is not confirmed, has no such candidate or forbids it by now, or the
    folder is in use.
    """
    output = vacant(Path(output))
    study = open_study(config, create=False)
    confirmation = ConfirmationFile(study).require()
    subset = _subset(config, study, confirmation, row)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=output.parent, prefix=f".{output.name}."))
    except OSError as problem:
        raise InputError(f"cannot write to {output.parent}: {problem}", "name a folder you may write to") from None
    try:
        write_text(part / "subset.json", json.dumps(subset.to_json(), indent=1, ensure_ascii=False) + "\n")
        write_text(part / "realign.toml", _realignment(config, subset.languages, output))
        write_text(part / "README.md", export_card.render(config, subset, confirmation))
        write_text(part / "report.html", html_report.page(config))
        os.chmod(part, 0o755)
        os.replace(part, output)  # takes the place of an empty folder
    except OSError as problem:
        message = f"cannot write to {output}: {problem.strerror or problem}"
        raise InputError(message, "nothing was exported: make room, or name another folder with -o") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return Export(subset, str(output), tuple(sorted(file.name for file in output.iterdir())))


def _subset(config: StudyConfig, study: Study, confirmation: Confirmation, name: str | None) -> ExportedSubset:
    """The candidate of that name, else that with the highest confirmed mean, with all that is known of it."""
    best = choice.choose(config.space, confirmation, name)
    recommender = Recommender(study)
    top = recommender.top()
    others = [row for row in confirmation.rows if not row.was_found and row.name != best.name]
    reason = _reason(best, choice.allowed_candidates(config.space, confirmation))
    return ExportedSubset(
        name=config.name,
        source=config.core.source.code,
        metric=config.core.task.metric,
        score=best,
        study=config.path.name,
        baselines={row.name: Baseline(row.languages, row.mean, row.ci95, row.held_out) for row in others},
        reason=reason if name is None else "it was asked for by its name",
        verdict=verdict(recommender, confirmation, name).sentence,
        merged=_merged_score(study, best.languages),
        stale=tuple(choice.stale_parts(config.space, config.held_out, confirmation, top[0] if top else None)),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        versions={**confirmation.versions, **versions()},
    )


def _merged_score(study: Study, languages: Sequence[str]) -> MergedScore | None:
    """The search's score of the merged encoder of these languages; None where it merged none for them."""
    config = study.config
    for trial in study.trials() if config.merges_vectors else ():
        whole = trial.state == "complete" and trial.level == "merge" and trial.seed == config.seed
        if whole and trial.value is not None and trial.subset.codes == tuple(languages):
            about = (trial.signature, trial.seed, config.search.seeds, config.fidelity.tuned)
            return MergedScore(trial.value, *about)
    return None


def _reason(best: ConfirmedRow, candidates: Sequence[ConfirmedRow]) -> str:
    """Why this subset, in plain words. Choosing the highest of several confirmed means is again a small selection."""
    if len(candidates) == 1:
        return "it is the only candidate that was confirmed"
    how = "found by the search" if best.was_found else "chosen without measuring"
    others = ", ".join(f"{row.name} {percent(row.mean)}" for row in candidates if row is not best)
    return (
        f"{best.name}, {how}, has the highest mean of {len(candidates)} candidates on fresh seeds, "
        f"{percent(best.mean)} (others: {others}); as the highest of several it may be a little lower in truth"
    )


def _realignment(config: StudyConfig, languages: Sequence[str], output: Path) -> str:
    """A file that needs no study: what to realign, on what, and how; at the full fidelity of the study."""
    document: dict[str, object] = {
        "name": config.name,
        "seed": config.seed,
        "languages": list(languages),
        "source": config.core.source.code,
    }
    for name in ("model", "data", "task", "realign"):
        section = getattr(config.core, name).document(without_none=True)
        document[name] = {key: _placed(config, key, value, output) for key, value in section.items() if value != ""}
    if config.merges_vectors:
        merging = MergingSection.of(config.fidelity.merging, Fidelities(config).merged_pairs)
        document["merging"] = merging.document()
    head = f"# The realignment chosen by the study '{config.name}'; run it with: realingo realign DIR -o MODEL_DIR"
    return f"{head}\n{tomli_w.dumps(document)}"


def _placed(config: StudyConfig, key: str, value: object, output: Path) -> object:
    """Folders that were relative to the study file become relative to the exported one; others stay as they are."""
    if isinstance(value, dict):
        return {inner: _placed(config, inner, item, output) for inner, item in value.items()}
    if isinstance(value, list):
        return [_placed(config, key, item, output) for item in value]
    if key not in FOLDERS or not isinstance(value, str) or value in ("", "world"):
        return value
    if Path(value).is_absolute() or value.startswith("~") or not (config.core.home / value).is_dir():
        return value
    # ".." in a path that goes through a link would lead elsewhere
    return os.path.relpath(os.path.realpath(config.core.home / value), os.path.realpath(output))


def render(export: Export) -> str:
    """The exported subset and its folder, in a few lines."""
    subset = export.subset
    lines = [
        f"best subset: {' '.join(subset.languages)}",
        subset.verdict,
        f"why: {subset.reason}",
        f"mean {subset.metric}: {span(subset.score.mean, subset.score.ci95)} %",
    ]
    lines += [f"gain over {against}: {difference}" for against, difference in export_card.gains(subset.score)]
    if subset.merged is not None:
        scored = f"{percent(subset.merged.value)} % in the search"
        lines.append(f"merged encoder of these languages: {scored}; 'realingo realign' writes it with --merge")
    lines += [f"no longer up to date: {line}" for line in subset.stale]
    lines += [f"report: {Path(export.path) / 'report.html'}", f"export: {export.path}"]
    lines += [f"pushed: {export.pushed}"] if export.pushed else []
    return "\n".join(lines)
