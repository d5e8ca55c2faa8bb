"""The world that the tests of the evaluation core train on."""

import pytest
import torch

from realign.world.world import World


@pytest.fixture(scope="module")
def world(request: pytest.FixtureRequest) -> World:
    """The world of the sizes that the test file names `SIZES`."""
    torch.set_num_threads(1)
    return World(0, request.module.SIZES)
