"""Linear algebra of the surrogate on one thread, whoever calls it.

Its matrices are small: further threads wait for each other, at full load, and take cores from trainings. They also add
in another order, so that the last digits, and by them later proposals, would depend on the machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import scipy.linalg  # noqa: F401  # loads a library of its own, which is to be found
from threadpoolctl import ThreadpoolController


@contextmanager
def one_thread() -> Iterator[None]:
    """Within it linear algebra uses one thread, afterwards as many as before; also a decorator."""
    with _libraries().limit(limits=1, user_api="blas"):
        yield


@cache
def _libraries() -> ThreadpoolController:
    """The libraries of linear algebra that are loaded. To look for them takes milliseconds: once is enough."""
    return ThreadpoolController()
