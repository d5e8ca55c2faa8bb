"""What `realingo init` asks on a terminal. An answer that cannot be used is explained, and the question comes again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from search.starting.init import MODEL, OWN_TASKS, InitRequest, proposed_size
from search.starting.study_text import FAKE
from search.terminal import complain
from selector.errors import InputError
from selector.languages.language import parse, parse_pool

Ask = Callable[[str, str], str]  # question, answer of an empty line → answer
Answer = TypeVar("Answer")


def ask(prompt: Ask) -> InitRequest:
    """The request of a person at a terminal; an empty answer takes what stands in brackets."""
    folder = _until_good(prompt, "Folder with your data (empty: none)", "", _folder)
    if folder is not None:
        return _of_folder(prompt, folder)
    model = prompt("Encoder (world: the small one that comes with Realingo)", "world")
    if model in ("world", FAKE):
        return InitRequest(model=model)
    source = _until_good(prompt, "Language of fine-tuning", "eng", lambda text: parse(text).code)
    parallel = _until_good(prompt, "Parallel text", "opus-100", lambda text: _parse_set_name(text, parallel=True))
    task = _until_good(prompt, "Task", "udpos", lambda text: _parse_set_name(text, parallel=False))
    pool = _until_good(prompt, "Pool of languages", "paper-65", _pool)
    size = _size(prompt, 10)
    return InitRequest(None, model, parallel, task, pool, size, source)


def _of_folder(prompt: Ask, folder: Path) -> InitRequest:
    from search.starting.folder_survey import survey

    source = _until_good(prompt, "Language of fine-tuning", "eng", lambda text: survey(folder, parse(text).code).source)
    found = survey(folder, source)
    task: str | None = None
    if found.other_tasks:
        choices = [name for name in OWN_TASKS if name in (found.task, *found.other_tasks)]
        question = f"Task ({', '.join(choices)})"
        task = _until_good(
            prompt, question, found.task, lambda text: survey(folder, source, _one_of(text, choices)).task
        )
    model = prompt("Encoder", MODEL)
    size = _size(prompt, proposed_size(len(survey(folder, source, task).with_held_out().pool)))
    return InitRequest(folder, model, None, task, None, size, source)


def _until_good(prompt: Ask, question: str, default: str, read: Callable[[str], Answer]) -> Answer:
    while True:
        try:
            return read(prompt(question, default).strip())
        except InputError as problem:
            complain(problem.message, problem.hint)


def _folder(text: str) -> Path | None:
    if not text:
        return None
    folder = Path(text).expanduser()
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}", "name a folder that exists, or press Enter to leave this out")
    return folder


def _parse_set_name(name: str, parallel: bool) -> str:
    from realign.hub import sets

    fitting = sorted(key for key, spec in sets.load_sets().items() if (spec.tasks[0] == "parallel") == parallel)
    return _one_of(name, fitting)


def _one_of(text: str, known: list[str]) -> str:
    if text not in known:
        raise InputError(f"'{text}' is not known", f"known are {', '.join(known)}")
    return text


def _pool(text: str) -> str:
    parse_pool(text)
    return text


def _size(prompt: Ask, proposed: int) -> int:
    def whole(text: str) -> int:
        if not text.isdecimal() or int(text) < 1:
            raise InputError(f"'{text}' is no number of languages", "a whole number from 1")
        return int(text)

    return _until_good(prompt, "How many languages to choose", str(proposed), whole)
