"""An encoder of the XLM-R type in a folder, small enough to fine-tune in seconds."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import AutoModel, PreTrainedTokenizerFast, XLMRobertaConfig

from realign.world.world import World

CODES = ("deu", "fin", "swh")


def make_model(folder: Path, world: World, layers: int = 2, positions: int = 64) -> None:
    """Weights, tokenizer and configuration; the tokenizer is trained on text of the world."""
    core = Tokenizer(models.BPE(unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    text = (" ".join(words) for code in ("eng", *CODES) for words in world.texts(code))
    core.train_from_iterator(text, trainers.BpeTrainer(vocab_size=400, special_tokens=special, show_progress=False))
    core.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    names = {"bos": 0, "cls": 0, "pad": 1, "eos": 2, "sep": 2, "unk": 3, "mask": 4}
    tokens = {f"{name}_token": special[place] for name, place in names.items()}
    PreTrainedTokenizerFast(tokenizer_object=core, model_max_length=positions, **tokens).save_pretrained(folder)
    config = XLMRobertaConfig(
        vocab_size=len(special) + 400, hidden_size=16, num_hidden_layers=layers, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=positions + 6,
    )  # fmt: skip
    AutoModel.from_config(config).save_pretrained(folder)
