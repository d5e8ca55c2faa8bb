"""Words that messages share."""

import pytest

from selector.errors import quantity


@pytest.mark.parametrize(("count", "words"), [(0, "0 languages"), (1, "1 language"), (2, "2 languages")])
def test_one_thing_is_named_in_the_singular(count: int, words: str) -> None:
    assert quantity(count, "language") == words
