"""What every process of `test_cli_production` would load for itself: loaded once by the server that forks them."""

from importlib import import_module

from realign.world.world import World

for module in (
    "realign.training.checkpoint",
    "realign.training.encoded_pairs",
    "search.cli",
    "search.commands.realign",
):
    import_module(module)
for model in ("BertModel", "PreTrainedTokenizerFast"):  # transformers loads them when they are asked for
    getattr(import_module("transformers"), model)
for code in ("deu", "fin"):
    list(World().pairs(code, "train"))
