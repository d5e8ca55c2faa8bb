"""Files as repositories of the hub have them: parquet with label names, cards, text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq


def table(columns: Mapping[str, Any], classes: Mapping[str, Sequence[str]]) -> pa.Table:
    """Numbers with their names in the metadata, as the hub's parquet files have labels."""
    made = pa.table(dict(columns))
    if not classes:
        return made
    features: dict[str, Any] = {}
    for column in made.column_names:
        lists = pa.types.is_list(made.schema.field(column).type)
        inner: Any = {"dtype": "string", "_type": "Value"}
        if column in classes:
            inner = {"names": list(classes[column]), "_type": "ClassLabel"}
        features[column] = {"feature": inner, "_type": "List"} if lists else inner
    return made.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})


def write(path: Path, rows: pa.Table) -> None:
    """A parquet file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(rows, path)


def card(folder: Path, configs: Mapping[str, Sequence[tuple[str, str]]]) -> None:
    """A card that says which files a configuration has, by split."""
    lines = ["---", "configs:"]
    for config, files in configs.items():
        lines += [f'- config_name: "{config}"', "  data_files:"]
        for split, file in files:
            lines += [f"  - split: {split}", f'    path: "{file}"']
    write_text(folder / "README.md", [*lines, "---", ""])


def write_text(path: Path, lines: Sequence[str]) -> None:
    """Lines as a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
