"""The small files that lie beside the weights of an encoder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from huggingface_hub import try_to_load_from_cache


def stored_json(base: str, commit: str | None, name: str) -> dict[str, Any]:
    """A file of settings, from a folder (`commit` is None) or the cache; nothing where it cannot be read."""
    try:
        file = Path(base) / name
        if commit is not None:
            file = Path(str(try_to_load_from_cache(base, name, revision=commit)))
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
