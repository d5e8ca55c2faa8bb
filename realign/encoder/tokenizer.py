"""Tokenizers as their files define them, and words given one by one that become the sub-words of running text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from huggingface_hub import try_to_load_from_cache
from transformers import AutoTokenizer

PROBE = ("a", "in", "la", "на", "of")  # short words, which a real vocabulary has whole, with a space and without


def load_tokenizer(base: str, commit: str | None) -> Any:
    """Tokenizer of `base`, a folder (`commit` is None) or an id of the hub, with the treatment of letters in its
    tokenizer.json.

    `transformers` builds BERT's tokenizer anew and makes all letters small where tokenizer_config.json does not forbid
    it.
    """
    read = partial(AutoTokenizer.from_pretrained, base, revision=commit, trust_remote_code=False, use_fast=True)
    found = read()
    others = {
        name: value for name, value in _letter_settings(base, commit).items() if getattr(found, name, value) != value
    }
    return read(**others) if others else found


def _letter_settings(base: str, commit: str | None) -> dict[str, Any]:
    """Treatment of letters in tokenizer.json, where tokenizer_config.json does not set it."""
    letters = read_stored_json(base, commit, "tokenizer.json").get("normalizer") or {}
    if letters.get("type") != "BertNormalizer":
        return {}
    names = {"do_lower_case": "lowercase", "strip_accents": "strip_accents"}
    names["tokenize_chinese_chars"] = "handle_chinese_chars"
    config = read_stored_json(base, commit, "tokenizer_config.json")
    return {name: letters[key] for name, key in names.items() if key in letters and name not in config}


def needs_spaces(tokenizer: Any) -> bool:
    """True if words after the first need a space before them for `tokenizer` to read them as in running text.

    Byte-level BPE (Llama 3, EuroBERT) and Gemma's BPE (mmBERT) read the space as part of the word and add none to words
    that come alone; SentencePiece's Metaspace (XLM-R) adds one itself, and WordPiece (BERT) reads none.
    """
    running = tokenizer(" ".join(PROBE))["input_ids"]
    apart, spaced = (
        tokenizer(words, is_split_into_words=True)["input_ids"] for words in (list(PROBE), with_spaces(PROBE))
    )
    return bool(apart != running and spaced == running)


def with_spaces(words: Sequence[str]) -> list[str]:
    """`words` with a space before each but the first; empty words stay empty."""
    return [f" {word}" if place and word else word for place, word in enumerate(words)]


def read_stored_json(base: str, commit: str | None, name: str) -> dict[str, Any]:
    """Settings in the file `name`, from the folder `base` (`commit` is None) or the cache; empty where it cannot be
    read.
    """
    try:
        file = Path(base) / name
        if commit is not None:
            file = Path(str(try_to_load_from_cache(base, name, revision=commit)))
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):  # brackets without end
        return {}
    return found if isinstance(found, dict) else {}
