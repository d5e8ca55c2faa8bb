"""No test may reach a hub: what is not in a local folder is not there. CI draws the same examples every time."""

import os
from collections.abc import Iterator
from pathlib import Path

import postgres
import pytest
from hypothesis import settings

os.environ["HF_HUB_OFFLINE"] = "1"
settings.register_profile("ci", derandomize=True, deadline=None)  # a busy machine is no failure
settings.register_profile("local", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache that no other test has filled."""
    monkeypatch.setenv("REALINGO_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    """A PostgreSQL server of the tests' own."""
    if postgres.programs() is None:
        pytest.skip(postgres.MISSING)
    with postgres.serving() as running:
        yield running
