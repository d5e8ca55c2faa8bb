"""Files of any bytes, steered by what the readers do with them: `make fuzz`, or `fuzz.py -max_total_time=SECONDS`.

Coverage-guided (atheris, on libFuzzer) over the readers of `tests/helpers/readers.py`: the first byte of an input picks
one, the rest is its file. It ends at the first exception that is no InputError, and leaves that input as `crash-…`.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "helpers")]
LIMITS = ["-max_len=4096", "-timeout=30", "-rss_limit_mb=4096", "-print_final_stats=1"]

with atheris.instrument_imports(include=["selector", "realign", "search"]):
    import readers

READERS = list(readers.READERS.values())


def read(content: bytes) -> None:
    name, reader, _ = READERS[content[0] % len(READERS) if content else 0]
    with tempfile.TemporaryDirectory() as folder:  # a new one: what was read of a path is remembered
        file = Path(folder) / name
        file.write_bytes(content[1:])
        readers.read_or_refused(lambda: reader(file))


def main() -> None:
    with tempfile.TemporaryDirectory() as corpus:
        for number, (_, _, sound) in enumerate(READERS):
            (Path(corpus) / str(number)).write_bytes(bytes([number]) + sound)
        atheris.Setup([*sys.argv, *LIMITS, corpus], read)
        atheris.Fuzz()  # does not return


if __name__ == "__main__":
    main()
