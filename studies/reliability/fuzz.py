"""Files of any bytes, steered by what the readers do with them: `make fuzz`, or `fuzz.py -max_total_time=SECONDS`.

Coverage-guided (atheris, on libFuzzer). The first byte of an input picks a reader of `tests/helpers/readers.py`, and
the rest is its file; or a round trip of `tests/helpers/round_trips.py`, and the rest is the text to write and read.
It ends at the first exception that is no InputError, or where something else is read than was written, and leaves that
input as `crash-…`.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import atheris

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "helpers")]
LIMITS = ["-max_len=4096", "-timeout=30", "-rss_limit_mb=4096", "-print_final_stats=1"]

with atheris.instrument_imports(include=["selector", "realign", "search"]):
    import readers
    import round_trips

READERS = list(readers.READERS.values())
ROUND_TRIPS = list(round_trips.ROUND_TRIPS.items())
TEXT = "New York schläft\n# O\u00a0x \u200b\ncafe\u0301 İ ß -1".encode()


def read(content: bytes) -> None:
    number = content[0] % (len(READERS) + len(ROUND_TRIPS)) if content else 0
    if number >= len(READERS):
        there_and_back(*ROUND_TRIPS[number - len(READERS)], content[1:])
        return
    name, reader, _ = READERS[number]
    with tempfile.TemporaryDirectory() as folder:  # a new one: what was read of a path is remembered
        file = Path(folder) / name
        file.write_bytes(content[1:])
        readers.read_or_refused(lambda: reader(file))


def there_and_back(name: str, trip: Callable[[Path, bytes], tuple[Any, Any]], content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        found, written = trip(Path(folder), content)
    assert found == written, f"{name}: read {found}, written {written}"


def main() -> None:
    with tempfile.TemporaryDirectory() as corpus:
        for number, (_, _, sound) in enumerate(READERS):
            (Path(corpus) / str(number)).write_bytes(bytes([number]) + sound)
        for number in range(len(READERS), len(READERS) + len(ROUND_TRIPS)):
            (Path(corpus) / str(number)).write_bytes(bytes([number]) + TEXT)
        atheris.Setup([*sys.argv, *LIMITS, corpus], read)
        atheris.Fuzz()  # does not return


if __name__ == "__main__":
    main()
