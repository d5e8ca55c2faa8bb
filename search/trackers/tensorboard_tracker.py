"""TensorBoard: curves of the score over the trials, one folder a study."""

from __future__ import annotations

from pathlib import Path

from tensorboardX import SummaryWriter

from search.results.trials import TrialRecord
from search.trackers.tracker import About, BestSoFar, check_folder, flat, metrics_of
from selector.errors import InputError

HINT = "name another folder: tensorboard:FOLDER"


def check_place(place: str) -> None:
    """InputError where the folder `place` cannot be written to."""
    check_folder(Path(place), HINT)


def open_tracker(place: str, about: About) -> TensorBoardTracker:
    """A tracker that writes event files to the folder `place`/NAME OF THE STUDY."""
    try:
        return TensorBoardTracker(Path(place) / about.name, about)
    except OSError as problem:
        raise InputError(f"cannot write to {place}: {problem.strerror}", HINT) from None


class TensorBoardTracker:
    """Scalars by trial number, and the members of each subset as text."""

    def __init__(self, folder: Path, about: About) -> None:
        self._writer, self._best = SummaryWriter(str(folder)), BestSoFar(about.best)
        table = "\n".join(f"| {key} | {value} |" for key, value in flat(about.settings).items())
        self._writer.add_text("study", f"| key | value |\n|---|---|\n{table}")

    def __call__(self, record: TrialRecord) -> None:
        for name, value in metrics_of(record, self._best.after(record)).items():
            self._writer.add_scalar(name, value, record.number)
        text = " ".join(record.languages) or "no realignment"
        self._writer.add_text("subset", f"{text} ({record.state}, {record.origin})", record.number)
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()
