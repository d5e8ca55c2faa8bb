"""What a sample of a large line file costs, with the file held in memory and read by lines.

    python studies/preparing/lines.py FOLDER [PAIRS]

writes FOLDER/deu.jsonl and FOLDER/deu.tsv, then takes the sample of a run (39,271 pairs) of each in a process of its
own, by `rows.read` and by `line_rows`, and prints a JSON line each: CPU seconds, most megabytes of the process above
what it began with, and a hash of the sample.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import sys
import time
from pathlib import Path

from make import sentences

SAMPLE = 39_271  # pairs of one language in the study of README.md


def write(folder: Path, count: int) -> None:
    """The same pairs as objects and as a table."""
    folder.mkdir(parents=True, exist_ok=True)
    pairs = list(zip(sentences("Latn", count, 0), sentences("Latn", count, 1000), strict=True))
    with (folder / "deu.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps({"source": ours, "target": theirs}) + "\n" for ours, theirs in pairs)
    with (folder / "deu.tsv").open("w", encoding="utf-8") as file:
        file.write("source\ttarget\n")
        file.writelines(f"{ours}\t{theirs}\n" for ours, theirs in pairs)


def peak() -> int:
    """The most memory that this process had, in kibibytes."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0])


def measure(path: Path, by_lines: bool) -> None:
    from realign.corpora.corpus import Pair, Stream, at_white_space
    from realign.hub.line_rows import LineFile, LineRows
    from realign.hub.rows import read
    from realign.store.sampled_pairs import draw_pairs

    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak starts anew
    before, begun = peak(), time.process_time()
    rows = LineRows(LineFile(path), "here") if by_lines else read(path, "here")

    def pair(cells: tuple[str, ...]) -> Pair:
        return Pair(at_white_space(cells[0]), at_white_space(cells[1]))

    stream = Stream(
        lambda: map(pair, rows.texts("source", "target")),
        lambda numbers: map(pair, rows.select(numbers).texts("source", "target")),
        len(rows),
    )
    drawn = draw_pairs("deu", stream, None, SAMPLE)
    assert drawn is not None
    row = {"file": path.name, "reader": "by lines" if by_lines else "held", "pairs": len(rows)}
    row |= {"cpu_seconds": round(time.process_time() - begun, 1), "megabytes": (peak() - before) // 1024}
    print(json.dumps(row | {"sample": hashlib.sha256(b"\n".join(drawn.packed)).hexdigest()[:16]}), flush=True)


def main(folder: Path, count: int) -> None:
    if not (folder / "deu.tsv").exists():
        write(folder, count)
    for name in ("deu.jsonl", "deu.tsv"):
        for by_lines in (False, True):
            process = multiprocessing.get_context("spawn").Process(target=measure, args=(folder / name, by_lines))
            process.start()
            process.join()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000)
