"""The files by which sentence-transformers loads a realigned encoder, with the pooling that retrieval is scored with.

    modules.json                       the modules in their order, each with its folder
    sentence_bert_config.json          the longest sentence, in sub-words
    config_sentence_transformers.json  what similarity is: the cosine
    1_WordWeights/                     0 for the sub-words that begin, end and fill up a sentence, 1 for all others
    2_Pooling/config.json              the mean of the states, by these weights
    3_Normalize/                       vectors of length 1

Its own mean counts the marks of beginning and end; retrieval leaves them out, hence the weights. Sentences are read as
plain text, and what is longer is cut off where retrieval would read on in another window.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realign.cache import write_text
from realign.core import Task
from search import terminal
from selector.errors import InputError

if TYPE_CHECKING:
    from realign.encoder.encoder import Encoder

MODULES = ("Transformer", "WordWeights", "Pooling", "Normalize")
MODES = ("cls_token", "max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken")
MARKS = ("cls", "sep", "bos", "eos", "pad")


def needs_files(task: Task, depth: int, asked: bool) -> bool:
    """True if the files are asked for, or the task is retrieval. `depth`: blocks of the encoder.

    InputError where they are asked for and would say what is not so: that the last layer's states are retrieved with.
    """
    wanted = asked or task.kind == "retrieval"
    if wanted and task.layer not in (None, -1, depth):
        message = f"retrieval uses task.layer = {task.layer}, but sentence-transformers reads the last layer"
        if asked:
            raise InputError(message, "set task.layer = -1 and run a new search, or leave out --sentence-transformers")
        terminal.remark(f"{message}: the model gets no files for it")
        return False
    return wanted


def write(folder: Path, encoder: Encoder, longest: int) -> None:
    """Add the files to the folder of a realigned encoder. `longest`: sub-words of a sentence, at the most."""
    names = [f"{number}_{name}" if number else "" for number, name in enumerate(MODULES)]
    modules = [
        {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{name}"}
        for number, (name, path) in enumerate(zip(MODULES, names, strict=True))
    ]
    _write(folder / "modules.json", modules)
    _write(folder / "sentence_bert_config.json", {"max_seq_length": encoder.limit(longest), "do_lower_case": False})
    about: dict[str, object] = {"model_type": "SentenceTransformer", "prompts": {}, "default_prompt_name": None}
    _write(folder / "config_sentence_transformers.json", about | {"similarity_fn_name": "cosine"})
    _write_weights(folder / names[1], encoder.tokenizer)
    modes = {"pooling_mode_mean_tokens": True} | {f"pooling_mode_{mode}": False for mode in MODES}
    _write(folder / names[2] / "config.json", {"word_embedding_dimension": encoder.width, **modes})
    _write(folder / names[3] / "config.json", {})


def _write_weights(folder: Path, tokenizer: Any) -> None:
    """A weight for each number of the vocabulary."""
    import torch
    from safetensors.torch import save_file

    marks = {getattr(tokenizer, f"{mark}_token_id") for mark in MARKS} - {None, tokenizer.unk_token_id}
    weights = torch.ones(1 + max(tokenizer.get_vocab().values()), 1)
    weights[sorted(marks)] = 0
    vocabulary = [""] * len(weights)  # only its length counts, and where the marks are
    for number in marks:
        vocabulary[number] = tokenizer.convert_ids_to_tokens(number)
    none = {vocabulary[number]: 0.0 for number in sorted(marks)}
    _write(folder / "config.json", {"vocab": vocabulary, "word_weights": none, "unknown_word_weight": 1.0})
    save_file({"emb_layer.weight": weights}, folder / "model.safetensors")


def _write(path: Path, document: object) -> None:
    path.parent.mkdir(exist_ok=True)
    write_text(path, json.dumps(document, ensure_ascii=False) + "\n")
