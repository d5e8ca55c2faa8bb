"""Parallel text of 65 languages as the hub has OPUS-100, and an encoder of the XLM-R type, made of random words.

    python studies/preparing/make.py FOLDER [PAIRS]

writes FOLDER/datasets/made/opus/<pair>/train-00000-of-00001.parquet, one for each language, FOLDER/models/made/encoder
and the study file FOLDER/study.toml. Sentences have 5 to 25 words of a Zipf-like vocabulary in the language's script;
languages of one script share a file on disk.
"""

from __future__ import annotations

import os
import sys
import unicodedata
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import AutoModel, PreTrainedTokenizerFast, XLMRobertaConfig

from realign.corpora.filters import SCRIPTS
from selector.languages.language import parse_pool, scripts

WORDS, GROUP = 30_000, 1000  # of a vocabulary; rows of a row group, as `datasets` writes them
LANGUAGES = {"Latn": 45, "Arab": 17, "Beng": 3}  # so many of flores-200 in each script
STUDY = """
name = "preparing"
[pool]
languages = "{languages}"
k = 10
[model]
base = "made/encoder"
[data.parallel]
kind = "hub"
id = "made/opus"
config = "{{pair}}"
columns = {{source = "translation.eng", target = "translation.xxx"}}
[task]
kind = "retrieval"
[realign]
steps = 24544
batch = 16
"""


@cache
def vocabulary(script: str) -> list[str]:
    names = SCRIPTS[script]
    letters = [chr(code) for code in range(0x61, 0xFFFF) if chr(code).isalpha() and not chr(code).isupper()]
    own = [letter for letter in letters if unicodedata.name(letter, "").split(" ")[0] in names][:26]
    rng = np.random.default_rng(list(script.encode()))
    return ["".join(rng.choice(own, size)) for size in rng.integers(2, 10, WORDS)]


def sentences(script: str, count: int, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(5, 26, count)
    words = np.minimum((WORDS ** rng.random(sizes.sum())).astype(int), WORDS - 1).tolist()
    known, ends = vocabulary(script), np.cumsum(sizes).tolist()
    return [" ".join([known[word] for word in words[end - size : end]]) for size, end in zip(sizes, ends, strict=True)]


def chosen() -> dict[str, list[str]]:
    """Script → codes of the languages that are written in it first of all."""
    written = {language.code: scripts(language) for language in parse_pool("flores-200") if language.code != "eng"}
    return {
        script: [code for code, some in written.items() if some[:1] == (script,)][:count]
        for script, count in LANGUAGES.items()
    }


def main(folder: Path, count: int) -> None:
    opus = folder / "datasets" / "made" / "opus"
    opus.mkdir(parents=True)
    lines = ["---", "configs:"]
    for number, (script, codes) in enumerate(chosen().items()):
        sides = {"eng": sentences("Latn", count, number), "xxx": sentences(script, count, 1000 + number)}
        column = pa.StructArray.from_arrays([pa.array(side) for side in sides.values()], list(sides))
        shared = folder / f"{script}.parquet"
        pq.write_table(pa.table({"translation": column}), shared, row_group_size=GROUP)
        for code in codes:
            pair = "-".join(sorted(("eng", code)))
            file = opus / pair / "train-00000-of-00001.parquet"
            file.parent.mkdir(parents=True, exist_ok=True)
            os.link(shared, file)
            lines += [f"- config_name: {pair}", "  data_files:", "  - split: train", f"    path: {pair}/{file.name}"]
    (opus / "README.md").write_text("\n".join([*lines, "---", ""]), encoding="utf-8")
    make_encoder(folder / "models" / "made" / "encoder", list(LANGUAGES))
    languages = ",".join(code for codes in chosen().values() for code in codes)
    (folder / "study.toml").write_text(STUDY.format(languages=languages), encoding="utf-8")


def make_encoder(folder: Path, used: list[str]) -> None:
    """Two small layers: preparing for the sentence loss asks its tokenizer alone."""
    core = Tokenizer(models.BPE(unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    text = [sentence for script in used for sentence in sentences(script, 3000, 7)]
    core.train_from_iterator(text, trainers.BpeTrainer(vocab_size=30_000, special_tokens=special, show_progress=False))
    core.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    names = {"bos": 0, "cls": 0, "pad": 1, "eos": 2, "sep": 2, "unk": 3, "mask": 4}
    tokens = {f"{name}_token": special[place] for name, place in names.items()}
    PreTrainedTokenizerFast(tokenizer_object=core, model_max_length=512, **tokens).save_pretrained(folder)
    torch.manual_seed(0)
    config = XLMRobertaConfig(
        vocab_size=len(core.get_vocab()), hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=514,
    )  # fmt: skip
    AutoModel.from_config(config).save_pretrained(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000)
