"""One key is changed at a time: a cache that has seen everything else gives the score that an empty one gives."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import small_study

from realign.build import evaluator as assemble
from realign.score import Score
from search.config.study_config import load
from search.effort.fidelities import Fidelities
from selector.languages.subset import Subset

STUDY = (
    "seed=2", "realign.steps=3", "realign.batch=5", "realign.lr=2e-3", "realign.temperature=0.5", "realign.layer=1",
    'realign.freeze="lower"', 'realign.schedule="linear"', "realign.warmup=0.5", "realign.anchor=0.5",
    "realign.projection=false", 'realign.negatives="cross"', 'realign.pooling="reference-prefix"',
    "realign.lora={rank=2}", 'realign.order="during"', "realign.max_length=8", 'realign.precision="bf16"',
    "task.steps=3", "task.batch=4", "task.lr=1e-3", "task.max_length=8", "task.examples=5",
    "data.filter={ratio=1.2}", "data.filter={longest=20}",
)  # fmt: skip


def keys(**values: Any) -> Callable[[Path], None]:
    """Set keys of a JSON file."""

    def change(file: Path) -> None:
        file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | values), encoding="utf-8")

    return change


def text(change: Callable[[str], str]) -> Callable[[Path], None]:
    return lambda file: (file.write_text(change(file.read_text(encoding="utf-8")), encoding="utf-8"), None)[1]


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-3] ^= 64  # of a weight
    file.write_bytes(content)


def without_first(lines: str) -> str:
    return lines.split("\n", 1)[1]


def upside_down(lines: str) -> str:
    return "".join(f"{line}\n" for line in reversed(lines.splitlines()))


def no_merge(content: str) -> str:
    """A tokenizer without its last merge."""
    document = json.loads(content)
    document["model"]["merges"].pop()
    return json.dumps(document)


CONFIG, TOKENIZER = "encoder/config.json", "encoder/tokenizer_config.json"
FILES: Mapping[str, tuple[str, Callable[[Path], None]]] = {
    "num_attention_heads": (CONFIG, keys(num_attention_heads=4)),
    "hidden_act": (CONFIG, keys(hidden_act="relu")),
    "layer_norm_eps": (CONFIG, keys(layer_norm_eps=0.5)),
    "hidden_dropout_prob": (CONFIG, keys(hidden_dropout_prob=0.4)),
    "attention_probs_dropout_prob": (CONFIG, keys(attention_probs_dropout_prob=0.4)),
    "is_decoder": (CONFIG, keys(is_decoder=True)),
    "num_hidden_layers": (CONFIG, keys(num_hidden_layers=1)),
    "attn_implementation": (CONFIG, keys(attn_implementation="eager")),
    "transformers_version": (CONFIG, keys(transformers_version="1.0")),
    "model_max_length": (TOKENIZER, keys(model_max_length=6)),
    "truncation_side": (TOKENIZER, keys(truncation_side="left", model_max_length=6)),
    "merges": ("encoder/tokenizer.json", text(no_merge)),
    "a weight": ("encoder/model.safetensors", flip),
    "tags of a target": ("treebanks/fin.dev.conllu", text(lambda lines: lines.replace("NOUN", "VERB"))),
    "tags of the source": ("treebanks/eng.train.conllu", text(lambda lines: lines.replace("NOUN", "VERB"))),
    "words of a target": ("treebanks/deu.dev.conllu", text(lambda lines: lines.replace("a", "e"))),
    "tags of another split": ("treebanks/fin.test.conllu", text(lambda lines: lines.replace("NOUN", "VERB"))),
    "words of a translation": ("parallel/eng-deu.deu", text(lambda lines: lines.replace("a", "e"))),
    "order of a translation": ("parallel/eng-deu.deu", text(upside_down)),
    "a language outside the subset": ("parallel/eng-tur.tur", text(upside_down)),
}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_study.write(tmp_path_factory.mktemp("template")).parent


def measured(home: Path, cache: Path, *overrides: str) -> tuple[Any, ...]:
    """The score of German and Finnish, all of it but the time and the signature."""
    config = load(home / "study.toml", list(overrides))
    os.environ["REALINGO_CACHE"] = str(cache)
    evaluator = assemble.evaluator(config.core, config.scope, config.tune, "dev")
    score: Score = evaluator(Subset(config.pool[:2]), Fidelities(config).full, config.seed)
    return score.value, dict(score.per_language), dict(score.tallies)


def test_a_warm_cache_gives_what_an_empty_one_gives(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files are changed in place, as people do; what an empty cache gives is measured on a copy elsewhere."""
    monkeypatch.setenv("REALINGO_CACHE", "")  # given back at the end
    home, warm = Path(shutil.copytree(template, tmp_path / "home")), tmp_path / "warm"
    first = measured(home, warm)
    scores, others = [first], 0
    for number, name in enumerate((*STUDY, *FILES)):
        kept: tuple[Path, bytes] | None = None
        if name in FILES:
            path, change = FILES[name]
            kept = (home / path, (home / path).read_bytes())
            change(home / path)
        overrides = () if name in FILES else (name,)
        copied = Path(shutil.copytree(home, tmp_path / f"copy-{number}"))
        here = measured(home, warm, *overrides)
        assert here == measured(copied, tmp_path / f"fresh-{number}", *overrides), name
        assert here == measured(home, warm, *overrides), name
        others += here != first
        scores.append(here)
        if kept is not None:
            kept[0].write_bytes(kept[1])
    assert measured(home, warm) == first  # all is as it was
    assert len(scores) - 1 >= 40
    assert others >= 30  # the changes matter
    unchanged = {name for name, score in zip((*STUDY, *FILES), scores[1:], strict=True) if score == first}
    assert {"attn_implementation", "transformers_version", "a language outside the subset"} <= unchanged
    assert not {"hidden_act", "layer_norm_eps", "is_decoder", "model_max_length"} & unchanged
