"""Builders of `datasets` for the configurations of a repository, whose card is fetched and parsed once for all of them.

`datasets.load_dataset_builder` asks for the card, and for files that hardly any repository has, again for each
configuration. Cards of many languages take seconds to parse.
"""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from typing import Any

from realign.hub.problems import HubRequest


def builder_of(request: HubRequest) -> Any:
    """Builder of `datasets` for a configuration: it knows its files and has downloaded none."""
    import datasets
    from datasets.load import get_dataset_builder_class

    if request.folders:
        return datasets.load_dataset_builder(request.repository, revision=request.revision, data_dir=request.config)
    card = _card(request.repository, request.revision)
    make = get_dataset_builder_class(card, dataset_name=card.builder_kwargs.get("dataset_name"))
    info = deepcopy((card.dataset_infos or {}).get(request.config))  # a builder writes into it
    return make(**{**card.builder_kwargs, "config_name": request.config, "hash": card.hash, "info": info})


@cache
def _card(repository: str, revision: str | None) -> Any:
    """What `datasets` knows of a repository: its configurations, their files, and the features of each."""
    from datasets.load import dataset_module_factory

    return dataset_module_factory(repository, revision=revision)
