"""What preparing a study costs: CPU minutes and memory, from loading the encoder to the last language's encoded pairs.

    python studies/preparing/measure.py STUDY.toml [LANGUAGES]

prints one JSON line. LANGUAGES: only so many of the pool are prepared (for what would take too long in whole). Of the
memory, `own` is what the process needs; `mapped` are pages of files besides, which the system takes back when it needs
them.
"""

from __future__ import annotations

import json
import resource
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

from realign.build import evaluator as assemble
from realign.training.encoded_pairs import PairStore
from search.config.study_config import load


class Memory:
    """The most memory of each kind, looked at twice a second, in megabytes."""

    def __init__(self) -> None:
        self.most = {"own": 0, "mapped": 0}
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        names = {"own": "RssAnon", "mapped": "RssFile"}
        while True:
            status = Path("/proc/self/status").read_text(encoding="ascii")
            for kind, name in names.items():
                found = int(status.partition(f"{name}:")[2].split()[0]) // 1024
                self.most[kind] = max(self.most[kind], found)
            time.sleep(0.5)


def main(path: Path, count: int) -> None:
    memory, config = Memory(), load(path)
    config = replace(config, pool=config.pool[:count])
    begun = time.process_time()
    text, encoder = assemble.load_text_and_encoder(config.core, config.pool, None)
    ready = time.process_time()
    store = PairStore(encoder, text, config.core.realign)
    pairs = {language.code: len(store.of(language.code).source) for language in config.pool}
    ended = time.process_time()
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        json.dumps(
            {
                "languages": len(pairs),
                "pairs": sum(pairs.values()),
                "cpu_seconds": {
                    "read, filter, sample": round(ready - begun, 1),
                    "encode": round(ended - ready, 1),
                    "children": round(children.ru_utime + children.ru_stime, 1),
                },
                "megabytes": memory.most,
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 65)
