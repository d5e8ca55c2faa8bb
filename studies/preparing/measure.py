"""What preparing a study costs: CPU minutes and memory, from loading the encoder to the last language's encoded pairs.

    python studies/preparing/measure.py STUDY.toml [LANGUAGES]

prints one JSON line. LANGUAGES: only so many of the pool are prepared (for what would take too long in whole).
"""

from __future__ import annotations

import json
import resource
import sys
import time
from dataclasses import replace
from pathlib import Path

from realign.training.encoded_pairs import PairStore
from search.build import evaluator as assemble
from search.config.study_config import load


def main(path: Path, count: int) -> None:
    config = load(path)
    config = replace(config, pool=config.pool[:count])
    begun = time.process_time()
    text, encoder = assemble.ingredients(config, str(config.model.base), None)
    ready = time.process_time()
    store = PairStore(encoder, text, config.realign.recipe())
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
                "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 65)
