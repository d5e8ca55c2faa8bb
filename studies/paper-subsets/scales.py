"""Fit the scales of the transfer model to the published results and store them where the package reads them.

python studies/paper-subsets/scales.py        (about 15 seconds)
"""

import json
from pathlib import Path

from selector.languages.language import parse
from selector.transfer import predict as transfer
from selector.transfer import published
from selector.transfer.covariates import Affinity
from selector.transfer.transfer_model import Observations, TransferModel

FILE = Path(__file__).parents[2] / "selector" / "data" / "published-scales.json"


def main() -> None:
    document: dict[str, object] = {"made_by": "studies/paper-subsets/scales.py"}
    for task in published.TASKS:
        results = published.load_published(task)
        everyone = {*results.targets, *(x for draws in results.lists for draw in draws for x in draw)}
        affinity = Affinity(sorted(everyone), parse(transfer.SOURCE), transfer.PRETRAINED)
        model = TransferModel(Observations.of(results), affinity)
        document[task] = transfer.scales_document(model.scales)
    FILE.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
