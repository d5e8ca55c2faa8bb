"""The facts of a study: two studies compare only if everything that changes a score is equal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

from realign.inputs import list_some
from search.config.study_config import StudyConfig
from search.results.json_reader import Json
from search.study.storage import redact_url
from selector.errors import InputError

PACKAGES = ("realingo", "torch", "transformers", "numpy", "optuna", "lang2vec")


def versions() -> dict[str, str]:
    """Versions of the installed packages that can change a score."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


SCHEMA = 1  # of the user attributes that `search.study.study` writes


def facts(config: StudyConfig) -> Json:
    """Everything in the study file `config` that changes a score, by its key.

    Two studies compare only if these are equal.
    """
    core = config.core
    codes = {"pool": config.pool, "targets.tune": config.tune}
    whole = {
        **{key: [language.code for language in languages] for key, languages in codes.items()},
        **{name: getattr(core, name).document() for name in ("model", "data", "task", "realign")},
        "pool.source": core.source.code,
        "search.objective": list(config.search.objectives) or config.search.objective,
        "search.seeds": config.search.seeds,
        "search.fidelity": config.search.fidelity,
        **({"fidelity": config.fidelity.document()} if config.search.fidelity != "full" else {}),
        "seed": config.seed,
        **({"targets.weights": dict(config.weights)} if config.weights else {}),
    }
    if not isinstance(core.data.pairs, int):
        del whole["data"]["pairs"]  # no number: all there are
    if core.is_rehearsal:
        whole["model"]["base"].pop("seconds", None)  # how long a rehearsal takes changes no score
    return whole


def basis(config: StudyConfig, attributes: Mapping[str, object]) -> Json:
    """Everything that changes a score of a study with these user `attributes`: its settings, the signatures of what it
    reads, and the name of a user's evaluator."""
    names = ("contents", "evaluator")
    return {"facts": facts(config), **{name: attributes[name] for name in names if attributes.get(name)}}


def find_other_settings(kept: Mapping[str, object], mine: Json) -> list[str]:
    """Keys of the settings `mine`, the facts of a study file, that are not as in `kept`, facts read from JSON."""
    mine = json.loads(json.dumps(mine))
    return [name for name in mine if kept.get(name) != mine[name]]


def check_facts(study: str, storage: str, kept: Mapping[str, object], mine: Json) -> None:
    """InputError unless `mine`, the facts of the study file, are `kept`, those that the study was made with."""
    if different := find_other_settings(kept, mine):
        raise InputError(
            f"study '{study}' in {redact_url(storage)} was made with other settings of "
            f"{', '.join(different)}: its scores cannot be compared with new ones",
            "give this study another name or another search.storage, or restore the settings",
        )


def unlike(study: str, storage: str, names: list[str]) -> InputError:
    """InputError for data or an encoder, called `names`, that changed while the study file did not.

    `study` is in `storage`, which is shown without a password.
    """
    return InputError(
        f"study '{study}' in {redact_url(storage)} was measured with another content of {list_some(names)}: "
        "its scores cannot be compared with new ones",
        "give this study another name or another search.storage, or put back what it was measured with",
    )


def foreign(study: str, storage: str) -> InputError:
    """InputError for a `study` in `storage` whose trials another program wrote: ours among them would spoil both."""
    return InputError(
        f"study '{study}' in {redact_url(storage)} has trials that Realingo did not write",
        "give this study another name or another search.storage",
    )


def check_readable(name: str, attributes: Mapping[str, object]) -> None:
    """InputError if this version cannot understand the study `name` by its `attributes`, or it is half a copy."""
    schema = attributes.get("schema", 0)
    if not isinstance(schema, int) or schema > SCHEMA:
        raise InputError(
            f"study '{name}' was written by a newer Realingo (its form is {schema}, this one knows {SCHEMA})",
            "install the newer version: pip install --upgrade realingo",
        )
    if attributes.get("unfinished"):
        raise InputError(
            f"study '{name}' is a copy that was not finished", "make it again with 'realingo study copy FROM TO'"
        )
