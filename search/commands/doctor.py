"""`realingo doctor`: what works on this machine, each finding with a way out where something does not.

ok        works                       missing   optional and not there
warning   works, but look at it       broken    needed and does not work: the exit status is then 1

With a study also what that needs, measured by one short trial, and what of it this machine gives.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement

from realign.cache import cache_root
from realign.corpora.folder import VARIABLE
from search import terminal
from search.config.study_config import StudyConfig
from search.effort.machine import Machine, this_machine
from search.results.check_report import StudyCost
from search.results.json_reader import Json

EXTRAS = {
    "ray": "search on many machines",
    "dashboard": "realingo dashboard",
    "plot": "maps as PNG",
    "lora": "LoRA",
    "postgres": "studies on a PostgreSQL server",
}
ANSWER = 3.0  # seconds the hub has
LITTLE = 5e9  # bytes of free disk below which a warning is due
STUDY = 'name = "doctor"\n[pool]\nlanguages = ["deu", "fin"]\nk = 1\n[model]\nbase = {kind = "fake"}\n'
COLOURS = {"ok": "green", "warning": "yellow", "missing": "cyan", "broken": "bold red"}


@dataclass(frozen=True)
class Finding:
    group: str
    name: str
    state: str  # a key of COLOURS
    found: str
    hint: str = ""


@dataclass(frozen=True)
class Examination:
    """Everything that was looked at."""

    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """True if all that is needed works."""
        return all(finding.state != "broken" for finding in self.findings)

    def to_json(self) -> Json:
        return {"ok": self.ok, "checks": [asdict(each) for each in self.findings]}


def examine(config: StudyConfig | None = None) -> Examination:
    """Look at everything. Nothing is left behind; the hub is asked once, with a short time limit.

    config: a study, to hold against this machine
    """
    looks = [_python, _packages, _extras, _torch, _cache, _storages, _hub, _data]
    if config is not None:
        chosen = config

        def study() -> Iterator[Finding]:
            return _study(chosen)

        looks.append(study)
    return Examination(tuple(finding for look in looks for finding in _guard(look)))


def _guard(look: Callable[[], Iterator[Finding]]) -> list[Finding]:
    """A look that fails is a finding too: a doctor must not die of what he looks for."""
    try:
        return list(look())
    except Exception as problem:
        said = f"{type(problem).__name__}: {' '.join(str(problem).split())}"[:200]
        hint = "install again: pip install -c constraints.txt -e '.[all]'"
        return [Finding("examination", look.__name__.strip("_"), "broken", said, hint)]


def _python() -> Iterator[Finding]:
    number = ".".join(map(str, sys.version_info[:3]))
    enough = sys.version_info >= (3, 11)
    yield Finding("python", "python", "ok" if enough else "broken", number, "" if enough else "needs 3.11 or newer")


def _packages() -> Iterator[Finding]:
    """The packages that the installed distribution says it needs."""
    for needed in _requirements(""):
        found, fits = _installed_version(needed)
        hint = "" if fits else f"pip install '{needed.name}{needed.specifier}'"
        yield Finding("packages", needed.name, "ok" if fits else "broken", f"{found} ({needed.specifier})", hint)


def _extras() -> Iterator[Finding]:
    for extra, use in EXTRAS.items():
        for needed in _requirements(extra):
            found, fits = _installed_version(needed)
            hint = "" if fits else f"for {use}: pip install 'realingo[{extra}]'"
            yield Finding("extras", extra, "ok" if fits else "missing", f"{needed.name} {found}", hint)


def _requirements(extra: str) -> list[Requirement]:
    """Packages that Realingo needs, or that one of its extras adds."""
    everything = [Requirement(text) for text in requires("realingo") or []]
    mine = [each for each in everything if (each.marker is None) == (not extra)]
    return [each for each in mine if each.marker is None or each.marker.evaluate({"extra": extra})]


def _installed_version(needed: Requirement) -> tuple[str, bool]:
    try:
        found = version(needed.name)
    except PackageNotFoundError:
        return "not installed", False
    return found, needed.specifier.contains(found, prereleases=True)


def _torch() -> Iterator[Finding]:
    import torch

    threads, cores = torch.get_num_threads(), os.cpu_count() or 1
    yield Finding("device", "processor", "ok", f"{cores} cores; torch takes {threads} of them")
    if not torch.cuda.is_available():
        hint = "small encoders do without; XLM-R needs one, and a torch that is built for it"
        yield Finding("device", "gpu", "missing", "none that torch can use", hint)
        return
    for number in range(torch.cuda.device_count()):
        about = torch.cuda.get_device_properties(number)
        works = bool(
            (torch.ones(8, 8, device=f"cuda:{number}") @ torch.ones(8, 8, device=f"cuda:{number}")).sum() == 512
        )
        found = f"{about.name}, {about.total_memory / 2**30:.0f} GiB"
        yield Finding(
            "device", f"gpu {number}", "ok" if works else "broken", found, "" if works else "check its driver"
        )
    half = torch.cuda.is_bf16_supported()
    hint = "" if half else "set realign.precision = 'fp32'"
    yield Finding("device", "bf16", "ok" if half else "warning", "supported" if half else "not supported", hint)


def _cache() -> Iterator[Finding]:
    root = cache_root()
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=root) as file:
            file.write(b"written")
    except OSError as problem:
        yield Finding(
            "cache", "folder", "broken", f"{root}: {problem.strerror}", "set REALINGO_CACHE to a folder of yours"
        )
        return
    size, free = _size(root), shutil.disk_usage(root).free
    yield Finding("cache", "folder", "ok", f"{root}, writable, {_bytes(size)}")
    hint = "" if free > LITTLE else "delete what you do not need, or set REALINGO_CACHE to another disk"
    yield Finding("cache", "free disk", "ok" if free > LITTLE else "warning", _bytes(free), hint)


def _size(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(parent, name)).st_size
            except OSError:  # deleted by another process just now
                continue
    return total


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def _storages() -> Iterator[Finding]:
    """A study is made and read again in each kind of storage that needs no server."""
    for name, url in {"sqlite": "sqlite:///doctor.db", "journal": "doctor.journal"}.items():
        problem = _try_storage(url)
        state, hint = ("broken", "see the message") if problem else ("ok", "")
        yield Finding("storages", name, state, problem or "a study was written and read", hint)


def _try_storage(url: str) -> str:
    """Write and read a study; the problem in words, "" where there is none."""
    from search.config.study_config import load
    from search.study.study import open_study

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "study.toml"
        file.write_text(STUDY, encoding="utf-8")
        try:
            config = load(file, [f"search.storage={url}"])
            open_study(config, create=True)
            open_study(config, create=False).trials()
        except Exception as problem:
            return " ".join(str(problem).split())[:200]
    return ""


def _hub() -> Iterator[Finding]:
    address = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        hint = "only what is in its cache is found; unset HF_HUB_OFFLINE to go online"
        yield Finding("hub", "access", "warning", "offline by choice (HF_HUB_OFFLINE)", hint)
        return
    problem = _try_address(address)
    hint = "local folders and what is cached still work; check the network, a proxy, or HF_ENDPOINT" if problem else ""
    yield Finding("hub", "access", "warning" if problem else "ok", f"{address} {problem or 'answers'}", hint)


def _try_address(address: str) -> str:
    """Ask an address; the problem in words, "" where it answers, be it with a refusal."""
    try:
        urllib.request.urlopen(urllib.request.Request(address, method="HEAD"), timeout=ANSWER).close()
    except urllib.error.HTTPError as refusal:
        refusal.close()
    except (OSError, ValueError) as problem:
        return f"does not answer ({getattr(problem, 'reason', problem)})"
    return ""


def _data() -> Iterator[Finding]:
    root = os.environ.get(VARIABLE)
    if not root:
        hint = f"folders of a study file are then looked for beside it alone; set {VARIABLE} to share them"
        yield Finding("data", VARIABLE, "missing", "not set", hint)
    elif Path(root).expanduser().is_dir():
        yield Finding("data", VARIABLE, "ok", root)
    else:
        yield Finding("data", VARIABLE, "warning", f"{root} is no folder", f"correct {VARIABLE}, or unset it")


def _study(config: StudyConfig) -> Iterator[Finding]:
    """Findings on the study's needs and this machine; the first problem of a study that cannot run."""
    from search.commands.check import StudyCheck
    from search.commands.estimate import Estimator

    with terminal.progress() as advance:
        report = StudyCheck(config, advance, counting=False).examine()
        measured = None if report.problems else report.attempt(Estimator(config, advance).estimate)
    if measured is None:
        problem = report.problems[0]
        yield Finding("study", config.path.name, "broken", problem.message, problem.hint)
        return
    yield from needs(config.path.name, measured[0], this_machine(), shutil.disk_usage(cache_root()).free)


def needs(file: str, cost: StudyCost, machine: Machine, disk: float) -> Iterator[Finding]:
    """Findings on a study that costs this much (see `estimate`); `disk`: free bytes where prepared text is kept."""
    need, fitting = 1e9 * cost.memory_gb, machine.workers(1e9 * cost.memory_gb)
    given = max(machine.gpus) if machine.gpus else machine.memory
    kind = "a GPU" if machine.gpus else "free memory"
    hint = "" if fitting else "take a smaller encoder, batch or max_length, or another machine"
    found = f"{_bytes(need)} a worker; {kind} of {_bytes(given)}"
    yield Finding("study", "memory", "ok" if fitting else "warning", found, hint)
    room = 1e9 * cost.disk_gb < disk
    found = f"{_bytes(1e9 * cost.disk_gb)} of prepared text; {_bytes(disk)} are free"
    hint = "" if room else "set REALINGO_CACHE to a folder on another disk"
    yield Finding("study", "disk", "ok" if room else "warning", found, hint)
    search, confirm = cost.search_hours, cost.confirm_hours
    hours = f"search {search:.2f} h, confirmation {confirm:.2f} h with one worker"
    if fitting > 1 and not machine.gpus:
        hours += f"; {search / fitting:.2f} h and {confirm / fitting:.2f} h with {fitting}, a core each"
    yield Finding("study", "time", "ok", hours)
    why = f"memory of {len(machine.gpus)} GPU" if machine.gpus else f"{machine.cores} cores and the memory"
    advice = f"realingo search {file} --workers {fitting}" if fitting > 1 else ""
    if machine.gpus and advice:
        advice += "; they share the GPU's time, so try 2 first and compare the pace"
    yield Finding("study", "workers", "ok" if fitting else "warning", f"up to {fitting}, by {why}", advice)


def render(examination: Examination) -> terminal.RenderableType:
    """A table by group, a way out of what does not work, and a verdict."""
    rows: list[list[str | terminal.Text]] = []
    last = ""
    for each in examination.findings:
        state = terminal.Text(each.state, style=COLOURS[each.state])
        rows.append(["" if each.group == last else each.group, each.name, state, each.found])
        last = each.group
    states = [each.state for each in examination.findings]
    counted = ", ".join(f"{states.count(state)} {state}" for state in COLOURS if state in states)
    verdict = "Everything needed works" if examination.ok else "Something needed does not work: see the broken lines"
    hints = [f"{each.name}: {each.hint}" for each in examination.findings if each.hint]
    return terminal.stack(terminal.table("", ["", "what", "state", "found"], rows), *hints, f"{verdict} ({counted}).")
