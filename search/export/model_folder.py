"""The folder of a realigned encoder, and the work folder beside it in which it is made.

MODEL_DIR              appears whole at the end: weights, tokenizer, README.md (model card), realingo.json (facts)
.MODEL_DIR.realign/    beside it until then: checkpoint.safetensors, run.json (whose run it is), a lock
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from realign.cache import write_text
from search import output_folder
from search.export import model_card, sentence_folder
from search.export.preparation import Start
from search.results.realigned_model import RealignedModel, RunFacts, TaskHead
from search.study.provenance import versions
from selector.errors import InputError, RunError

CHECKPOINT, LOCK, DRAFT = "checkpoint.safetensors", "lock", "model"


@dataclass(frozen=True)
class ModelFolder:
    """The place where an encoder is made and published."""

    target: Path  # absolute
    work: Path
    sentences: bool  # sentence-transformers is to load it too
    where: str  # the repository that the examples of its card load; empty: this folder

    @classmethod
    def of(cls, target: Path, resume: bool, sentences: bool, where: str) -> ModelFolder:
        """InputError for an occupied folder, or a checkpoint beside it that is not to be gone on with."""
        target = output_folder.vacant(target)
        work = target.with_name(f".{target.name}.realign")
        if (work / CHECKPOINT).exists() and not resume:
            message = f"a realignment that was stopped lies in {work}"
            raise InputError(message, "add --resume to go on with it, or delete that folder to start anew")
        return cls(target, work, sentences, where)

    def with_sentences(self, start: Start) -> ModelFolder:
        """The same, with the files of sentence-transformers where they are wanted; InputError where they would lie."""
        wanted = sentence_folder.needs_files(start.order.core.task, start.encoder.depth, self.sentences)
        return replace(self, sentences=wanted)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Hold the work folder for this process; without a checkpoint in it, it is gone afterwards."""
        work, lock = self.work, FileLock(self.work / LOCK)
        try:
            work.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
        except Timeout:
            message = f"another process is realigning into {work}"
            raise RunError(message, "wait for it, or name another folder with -o") from None
        except OSError as problem:
            hint = "free some disk space, or name another folder"
            raise RunError(f"cannot write to {work}: {problem}", hint) from None
        try:
            output_folder.vacant(self.target)  # another process may have been quicker
            yield
        finally:
            if not (work / CHECKPOINT).exists():
                shutil.rmtree(work, ignore_errors=True)
            lock.release()

    def publish(
        self, start: Start, made: RealignedModel, save: Callable[[Path], TaskHead | None], kept: str
    ) -> RealignedModel:
        """Write the model beside its place, load it once to see that it loads, put it in place.

        `save` writes the weights to a folder and answers with what is known of a task's head among them. `kept`: what
        to do where there is no room, for the hint.
        """
        from realign.encoder.encoder import load, publish

        order, draft = start.order, self.work / DRAFT
        shutil.rmtree(draft, ignore_errors=True)
        with self._writing(draft, Exception, kept):  # a full disk is told by the libraries in errors of every kind
            head = save(draft)
            if self.sentences:
                sentence_folder.write(draft, start.encoder, order.core.task.max_length)
        whole = replace(made, head=head, signature=load(str(draft)).signature)
        text = model_card.render(order.core, order.languages, whole, self.where)
        with self._writing(draft, OSError, kept):
            write_text(draft / "realingo.json", json.dumps(whole.to_json(), indent=1, ensure_ascii=False) + "\n")
            write_text(draft / "README.md", text)
            publish(draft, self.target)
        files = sorted(file.relative_to(self.target).as_posix() for file in self.target.rglob("*") if file.is_file())
        return replace(whole, path=str(self.target), files=tuple(files))

    @contextmanager
    def _writing(self, draft: Path, kind: type[Exception], kept: str) -> Iterator[None]:
        try:
            yield
        except kind as problem:
            shutil.rmtree(draft, ignore_errors=True)
            raise RunError(f"cannot write the model {self.target}: {problem}", kept) from problem


def run_of(facts: RunFacts) -> str:
    """The name of a run: a hash of everything its weights follow from."""
    return hashlib.sha256(json.dumps(facts.to_json(), sort_keys=True).encode()).hexdigest()[:24]


def describe(start: Start, facts: RunFacts, used: Mapping[str, int], seconds: float) -> RealignedModel:
    """The description of the model before its weights are written. `used`: code → pairs seen in training."""
    order, core = start.order, start.order.core
    return RealignedModel(
        name=order.name,
        languages=tuple(language.code for language in order.languages),
        source=core.source.code,
        seed=order.seed,
        run=run_of(facts),
        base=start.base,
        realign=core.realign.document(without_none=True),
        pairs=sum(used.values()),
        data={code: replace(counts, used=used[code]) for code, counts in start.pairs_of.items()},
        facts=facts,
        chosen=order.chosen,
        changed=order.changed,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=round(seconds, 1),
        versions=versions(),
    )
