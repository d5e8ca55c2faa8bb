"""`realingo realign DIR_OR_TOML -o MODEL_DIR`: a realignment at full fidelity, to an encoder that `transformers` loads.

Until it is done its checkpoint lies beside MODEL_DIR, see search/export/model_folder.py. With order = "during" encoder
and task head are trained together, and both are saved: the encoder alone loads as ever.

On a CPU one thread works, as in a study: the weights are then those that the study scored with the same seed.
"""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from realign.cache import write_text
from search import terminal
from search.config import realign_file
from search.export.model_folder import CHECKPOINT, ModelFolder, describe, run_of
from search.export.preparation import Start, prepare
from search.interrupts import Interrupts
from search.results.realigned_model import RealignedModel, RunFacts, TaskHead
from selector.errors import InputError, RunError, StopError

if TYPE_CHECKING:
    from realign.tasks.in_turns import InTurns
    from realign.training.realigner import Realigner

RUN = "run.json"


class RealignmentStopped(Exception):  # noqa: N818
    """An interrupt was asked for; raised between two steps, where the state is whole."""


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
    folder = ModelFolder.of(target, resume, sentences, where)
    with terminal.progress() as advance, Interrupts() as interrupts:
        with interrupts.welcome():
            start = prepare(asked, advance)
            folder = folder.with_sentences(start)
        with folder.hold():
            return _Job(start, folder).run(60 * every, advance, interrupts)


@dataclass(frozen=True)
class _Job:
    start: Start
    folder: ModelFolder

    def run(self, every: float, advance: terminal.Noted, interrupts: Interrupts) -> RealignedModel:
        """Train, going on from a checkpoint if there is one, and publish. `every`: seconds."""
        import torch

        from realign.tasks.in_turns import training_of
        from realign.training import checkpoint

        work, order, begun = self.folder.work, self.start.order, time.monotonic()
        file, facts = work / CHECKPOINT, self._agreed()
        run = run_of(facts)
        model = self.start.encoder.copy().to(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
        settings, steps = order.core.realign, self.start.task_steps
        training = training_of(model, self.start.pairs, settings, settings.steps, order.seed, self.start.task, steps)
        try:
            checkpoint.finish_training(training, file, run, every, _show_training(training, advance, interrupts))
        except RealignmentStopped:
            training.look()
            checkpoint.save(file, training, run)
            message = f"stopped after step {training.position} of {training.steps}; a checkpoint is in {work}"
            again = f"realingo realign {order.given} -o {self.folder.target} --resume"
            raise StopError(message, f"go on with the same settings and --resume: {again}") from None
        made = describe(self.start, facts, training.pairs_by_language, time.monotonic() - begun)
        kept = f"the realignment itself is done and kept in {work}: free some disk space and add --resume"
        made = replace(made, sentences=self.folder.sentences, pairs=order.core.pairs)
        published = self.folder.publish(self.start, made, lambda draft: self._save(training, draft), kept)
        shutil.rmtree(work, ignore_errors=True)
        return published

    def _agreed(self) -> RunFacts:
        """The facts of this run. InputError where what was begun in the work folder follows from others."""
        facts, file = self.start.facts(), self.folder.work / RUN
        mine = json.loads(json.dumps(facts.to_json()))
        if not (self.folder.work / CHECKPOINT).exists():
            try:
                write_text(file, json.dumps(mine, indent=1) + "\n")
            except OSError as problem:
                raise RunError(f"cannot write {file}: {problem}", "free some disk space") from problem
            return facts
        try:
            before = json.loads(file.read_text(encoding="utf-8"))
            different = [name for name in mine if before.get(name) != mine[name]]
        except (OSError, ValueError, AttributeError) as problem:
            raise InputError(f"{file} cannot be read: {problem}", f"delete {self.folder.work} to start anew") from None
        if different:
            message = f"the realignment begun in {self.folder.work} has another {', '.join(different)}"
            raise InputError(message, "give what it was begun with, or delete that folder to start anew")
        return facts

    def _save(self, training: Realigner | InTurns, draft: Path) -> TaskHead | None:
        """Write encoder and tokenizer, and the head of the task where there is one; what is known of that."""
        from realign.encoder.encoder import save, save_with_head

        tokenizer, task = self.start.encoder.tokenizer, self.start.task
        if task is None or task.answers is None:
            save(training.model, tokenizer, draft)
            return None
        loads = save_with_head(training.model, training.modules["task"], task.answers, tokenizer, draft)
        given, steps = self.start.order.core.task, self.start.task_steps
        answers = task.answers
        return TaskHead(given.kind, steps, given.batch, given.lr, answers.labels, answers.read, loads)


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
