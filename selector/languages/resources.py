"""How much text and how many labels a language has for NLP: the classes of Joshi et al. 2020 (arXiv 2004.09095)."""

from __future__ import annotations

from functools import cache

from selector.languages.language import Language
from selector.sources import tables
from selector.sources.code_tables import PREFERRED


def resource_class(language: Language) -> int | None:
    """Resource class of `language` from 5 (the most) to 1; None where it is not in the table, which lacks class 0.

    A class published for a macrolanguage counts for its usual individual language. The data file names its source and
    its gaps.
    """
    return _classes().get(language.code)


@cache
def _classes() -> dict[str, int]:
    published = {code: int(number) for number, listed in tables.rows("resources.tsv") for code in listed.split()}
    usual = {PREFERRED[code]: number for code, number in published.items() if code in PREFERRED}
    return usual | published
