"""MLflow: an experiment a study, a run a trial, so that runs can be sorted and compared there."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

from mlflow.entities import Metric, Param
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from search.results.trials import TrialRecord
from search.trackers.tracker import About, BestSoFar, check_folder, flat, metrics_of
from selector.errors import InputError

LONGEST = 6000  # characters of a parameter: MLflow's own limit
HINT = "name a server or a database file: mlflow:http://HOST:PORT or mlflow:sqlite:///FILE.db"
PATIENCE = 10.0  # seconds a server has to answer
STATES = {"complete": "FINISHED", "pruned": "FINISHED", "failed": "FAILED"}


def check_place(place: str) -> None:
    """InputError where the database file of a tracking URI cannot be written, or its server does not answer."""
    if place.startswith("sqlite:///"):
        file = Path(place.removeprefix("sqlite:///"))
        if file.is_dir():
            raise InputError(f"MLflow cannot use {place}: it is a folder", HINT)
        check_folder(file.parent, HINT)
    elif place.startswith(("http://", "https://")):
        _check_server(place)


def _check_server(address: str) -> None:
    try:
        urllib.request.urlopen(address, timeout=PATIENCE).close()
    except urllib.error.HTTPError as refusal:  # an answer too
        refusal.close()
    except (OSError, ValueError) as problem:
        why = getattr(problem, "reason", problem)
        raise InputError(f"MLflow cannot use {address}: it does not answer ({why})", HINT) from None


def open_tracker(place: str, about: About) -> MlflowTracker:
    """A tracker at the tracking URI `place`: a server, or a database file as `sqlite:///mlflow.db`."""
    try:
        return MlflowTracker(MlflowClient(tracking_uri=place), about)
    except MlflowException as problem:
        raise InputError(f"MLflow cannot use {place}: {problem.message.splitlines()[0]}", HINT) from None


class MlflowTracker:
    """Runs of the experiment with the study's name."""

    def __init__(self, client: MlflowClient, about: About) -> None:
        self._client, self._best = client, BestSoFar(about.best)
        known = client.get_experiment_by_name(about.name)
        self._experiment = known.experiment_id if known else client.create_experiment(about.name)
        self._settings = flat(about.settings)

    def __call__(self, record: TrialRecord) -> None:
        name = " ".join(record.languages) or "no realignment"
        tags = {"mlflow.runName": f"{record.number}: {name}"[:250], "state": record.state}
        run = self._client.create_run(self._experiment, tags=tags).info.run_id
        about = {"subset": name, "seed": str(record.seed), "origin": record.origin, "signature": record.signature}
        params = [Param(key, value[:LONGEST]) for key, value in (about | self._settings).items() if value]
        found = metrics_of(record, self._best.after(record))
        metrics = [Metric(key, value, timestamp=0, step=record.number) for key, value in found.items()]
        for start in range(0, len(params), 100):  # a batch of MLflow holds no more
            self._client.log_batch(run, params=params[start : start + 100])
        for start in range(0, len(metrics), 1000):
            self._client.log_batch(run, metrics=metrics[start : start + 1000])
        self._client.set_terminated(run, STATES.get(record.state, "FAILED"))

    def close(self) -> None:
        """Nothing is held in memory."""
