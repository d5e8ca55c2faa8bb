"""`realingo realign DIR_OR_TOML -o MODEL_DIR`: a realignment at full fidelity, to an encoder that `transformers` loads.

    MODEL_DIR              appears whole at the end: weights, tokenizer, README.md (model card), realingo.json (facts)
    .MODEL_DIR.realign/    beside it until then: checkpoint.safetensors, run.json (whose run it is), a lock

With order = "during" encoder and task head are trained together, and both are saved: the encoder alone loads as ever.

On a CPU one thread works, as in a study: the weights are then those that the study scored with the same seed.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from realign.build import evaluator as assemble
from realign.build import tasks
from realign.cache import write_text
from realign.core import Core
from search import output_folder, terminal
from search.config import realign_file
from search.export import model_card, sentence_folder
from search.interrupts import Interrupts
from search.results.realigned_model import BaseEncoder, PairCounts, RealignedModel, RunFacts, TaskHead
from search.study.provenance import versions
from selector.errors import InputError, RunError, StopError
from selector.languages.language import Pool

if TYPE_CHECKING:
    from realign.encoder.encoder import Encoder
    from realign.tasks.in_turns import InTurns
    from realign.tasks.transfer_task import TransferTask
    from realign.training.encoded_pairs import EncodedPairs
    from realign.training.realigner import Realigner

CHECKPOINT, RUN, LOCK, DRAFT = "checkpoint.safetensors", "run.json", "lock", "model"


class RealignmentStopped(Exception):  # noqa: N818
    """An interrupt was asked for; raised between two steps, where the state is whole."""


@dataclass(frozen=True)
class Start:
    """The parts that a realignment begins with."""

    encoder: Encoder
    pairs: Mapping[str, EncodedPairs]
    pairs_of: Mapping[str, PairCounts]
    hashes: Mapping[str, tuple[str, str]]  # code → of the text, source and target
    parallel: str  # signature of the corpus
    task: TransferTask | None  # that realignment takes turns with

    def facts(self, order: realign_file.RealignRequest) -> RunFacts:
        """Everything the weights follow from."""
        import torch

        return RunFacts(
            encoder=self.encoder.signature,
            source=order.core.source.code,
            data=self.hashes,
            parallel=self.parallel,
            realign=order.core.realign.facts,
            steps=order.core.realign.steps,
            seed=order.seed,
            torch=torch.__version__,
            device="cuda" if torch.cuda.is_available() else "cpu",
            task=None if self.task is None else dict(self.task.facts),
            task_steps=0 if self.task is None else tasks.steps(order.core, order.languages),
        )


def realign(
    given: Path,
    target: Path,
    resume: bool,
    every: float,
    overrides: list[str],
    sentences: bool = False,
    where: str = "",
) -> RealignedModel:
    """Realign as an export's folder or a TOML file says and write `target`; a checkpoint each `every` minutes.

    With `sentences`, or where the task is retrieval, sentence-transformers loads it too. `where`: the repository
    that the examples of its card load.

    InputError, with nothing written: wrong input, an occupied folder, or a checkpoint that is not asked for or not of
    this run. RunError: no room on the disk, divergence, another process at it. StopError on SIGINT and SIGTERM.
    """
    if not 0 <= every < math.inf:
        raise InputError(f"--every {every:g} is out of range", "give a number of minutes, such as 10")
    asked = realign_file.read(given, overrides)
    target = output_folder.vacant(target)
    work = target.with_name(f".{target.name}.realign")
    if (work / CHECKPOINT).exists() and not resume:
        message = f"a realignment that was stopped lies in {work}"
        raise InputError(message, "add --resume to go on with it, or delete that folder to start anew")
    with terminal.progress() as advance, Interrupts() as interrupts:
        with interrupts.welcome():
            start = _prepare(asked.core, asked.languages, advance)
            sentences = sentence_folder.needs_files(asked.core.task, start.encoder.depth, sentences)
        with _hold(work):
            output_folder.vacant(target)  # another process may have been quicker
            job = _Job(asked, start, work, target, sentences, where)
            return job.run(60 * every, advance, interrupts)


def _prepare(core: Core, languages: Pool, advance: terminal.Noted) -> Start:
    """Load the encoder and encode the text. InputError where either cannot be used."""
    from realign.training.encoded_pairs import PairStore

    text, encoder = assemble.load_text_and_encoder(core, languages, advance)
    store = PairStore(encoder, text, core.realign, advance)
    counts: dict[str, PairCounts] = {}
    hashes: dict[str, tuple[str, str]] = {}
    for number, language in enumerate(languages, start=1):
        row = store.about(language.code)
        counts[language.code] = PairCounts(row["available"], row["pairs"], dict(row["dropped"]))
        hashes[language.code] = row["source"], row["target"]
        advance("preparing parallel text", number, len(languages))
    task = tasks.load_task_data(core, languages).task(encoder) if core.realign.order == "during" else None
    return Start(encoder, {code: store.of(code) for code in counts}, counts, hashes, text.signature, task)


@contextmanager
def _hold(work: Path) -> Iterator[None]:
    """Hold the work folder for this process; without a checkpoint in it, it is gone afterwards."""
    lock = FileLock(work / LOCK)
    try:
        work.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        message = f"another process is realigning into {work}"
        raise RunError(message, "wait for it, or name another folder with -o") from None
    except OSError as problem:
        raise RunError(f"cannot write to {work}: {problem}", "free some disk space, or name another folder") from None
    try:
        yield
    finally:
        if not (work / CHECKPOINT).exists():
            shutil.rmtree(work, ignore_errors=True)
        lock.release()


@dataclass(frozen=True)
class _Job:
    asked: realign_file.RealignRequest
    start: Start
    work: Path
    target: Path
    sentences: bool  # sentence-transformers loads it too
    where: str  # the repository that the examples of the card load; empty: this folder

    def run(self, every: float, advance: terminal.Noted, interrupts: Interrupts) -> RealignedModel:
        """Train, going on from a checkpoint if there is one, and publish. `every`: seconds."""
        import torch

        from realign.tasks.in_turns import training_of
        from realign.training import checkpoint

        file, begun = self.work / CHECKPOINT, time.monotonic()
        facts = self._agreed()
        run = hashlib.sha256(json.dumps(facts.to_json(), sort_keys=True).encode()).hexdigest()[:24]
        model = self.start.encoder.copy().to(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
        core, task = self.asked.core, self.start.task
        lessons = tasks.steps(core, self.asked.languages) if task else 0
        training = training_of(
            model, self.start.pairs, core.realign, core.realign.steps, self.asked.seed, task, lessons
        )
        try:
            checkpoint.finish_training(training, file, run, every, _show_training(training, advance, interrupts))
        except RealignmentStopped:
            training.look()
            checkpoint.save(file, training, run)
            message = f"stopped after step {training.position} of {training.steps}; a checkpoint is in {self.work}"
            again = f"realingo realign {self.asked.given} -o {self.target} --resume"
            raise StopError(message, f"go on with the same settings and --resume: {again}") from None
        made = self._model(facts, run, training.pairs_by_language, time.monotonic() - begun)
        published = self._publish(training, made)
        shutil.rmtree(self.work, ignore_errors=True)
        return published

    def _agreed(self) -> RunFacts:
        """The facts of this run. InputError where what was begun in the work folder follows from others."""
        facts, file = self.start.facts(self.asked), self.work / RUN
        mine = json.loads(json.dumps(facts.to_json()))
        if not (self.work / CHECKPOINT).exists():
            try:
                write_text(file, json.dumps(mine, indent=1) + "\n")
            except OSError as problem:
                raise RunError(f"cannot write {file}: {problem}", "free some disk space") from problem
            return facts
        try:
            before = json.loads(file.read_text(encoding="utf-8"))
            different = [name for name in mine if before.get(name) != mine[name]]
        except (OSError, ValueError, AttributeError) as problem:
            raise InputError(f"{file} cannot be read: {problem}", f"delete {self.work} to start anew") from None
        if different:
            message = f"the realignment begun in {self.work} has another {', '.join(different)}"
            raise InputError(message, "give what it was begun with, or delete that folder to start anew")
        return facts

    def _model(self, facts: RunFacts, run: str, used: Mapping[str, int], seconds: float) -> RealignedModel:
        """The description of the model before its weights are written."""
        order, core = self.asked, self.asked.core
        return RealignedModel(
            name=order.name,
            languages=tuple(language.code for language in order.languages),
            source=core.source.code,
            seed=order.seed,
            run=run,
            base=self._base(),
            realign=core.realign.document(without_none=True),
            pairs=core.pairs,
            data={code: replace(counts, used=used[code]) for code, counts in self.start.pairs_of.items()},
            facts=facts,
            chosen=self.asked.chosen,
            changed=self.asked.changed,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            seconds=round(seconds, 1),
            versions=versions(),
            sentences=self.sentences,
        )

    def _base(self) -> BaseEncoder:
        name, encoder = str(self.asked.core.model.base), self.start.encoder
        commit = encoder.origin.removeprefix(f"{name}@") if encoder.origin.startswith(f"{name}@") else None
        return BaseEncoder(name, commit, encoder.signature)

    def _publish(self, training: Realigner | InTurns, made: RealignedModel) -> RealignedModel:
        """Write the model beside its place, load it once to see that it loads, put it in place."""
        from realign.encoder.encoder import load, publish

        draft = self.work / DRAFT
        shutil.rmtree(draft, ignore_errors=True)
        with self._writing(draft, Exception):  # a full disk is told by the libraries below in errors of every kind
            head = self._save(training, draft)
            if self.sentences:
                sentence_folder.write(draft, self.start.encoder, self.asked.core.task.max_length)
        whole = replace(made, head=head, signature=load(str(draft)).signature)
        text = model_card.render(self.asked.core, self.asked.languages, whole, self.where)
        with self._writing(draft, OSError):
            write_text(draft / "realingo.json", json.dumps(whole.to_json(), indent=1, ensure_ascii=False) + "\n")
            write_text(draft / "README.md", text)
            publish(draft, self.target)
        files = sorted(file.relative_to(self.target).as_posix() for file in self.target.rglob("*") if file.is_file())
        return replace(whole, path=str(self.target), files=tuple(files))

    def _save(self, training: Realigner | InTurns, draft: Path) -> TaskHead | None:
        """Write encoder and tokenizer, and the head of the task where there is one; what is known of that."""
        from realign.encoder.encoder import save, save_with_head

        tokenizer, task = self.start.encoder.tokenizer, self.start.task
        if task is None or task.answers is None:
            save(training.model, tokenizer, draft)
            return None
        loads = save_with_head(training.model, training.modules["task"], task.answers, tokenizer, draft)
        given, steps = self.asked.core.task, tasks.steps(self.asked.core, self.asked.languages)
        answers = task.answers
        return TaskHead(given.kind, steps, given.batch, given.lr, answers.labels, answers.read, loads)

    @contextmanager
    def _writing(self, draft: Path, kind: type[Exception]) -> Iterator[None]:
        try:
            yield
        except kind as problem:
            shutil.rmtree(draft, ignore_errors=True)
            message = f"cannot write the model {self.target}: {problem}"
            hint = f"the realignment itself is done and kept in {self.work}: free some disk space and add --resume"
            raise RunError(message, hint) from problem


def _show_training(
    training: Realigner | InTurns, advance: terminal.Noted, interrupts: Interrupts
) -> Callable[[str, int, int], None]:
    """Shows the loss and the pace, and stops between two steps when asked to."""
    begun, first = time.monotonic(), -1

    def show(what: str, done: int, total: int) -> None:
        nonlocal first, begun
        if first < 0:  # the first step of this process, which may be a late one: not counted, it warms up
            first, begun = training.pairs_seen, time.monotonic()
        pace = (training.pairs_seen - first) / max(1e-9, time.monotonic() - begun)
        loss = "" if math.isnan(training.loss) else f"loss {training.loss:.3f}, "
        advance(what, done, total, f"{loss}{pace:.0f} pairs/s" if training.pairs_seen > first else "")
        if interrupts.is_requested:
            raise RealignmentStopped

    return show
