"""`realingo pretrain CONFIG.toml -o MODEL_DIR`: train a small multilingual encoder from text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from realign.corpora.corpus import Monolingual
from realign.section import Section
from realign.training.settings import Count, Rate
from search.config import toml_file
from search.config.schema import Seed, check
from search.output_folder import vacant
from search.terminal import progress, remark, write_line
from selector.errors import InputError
from selector.languages.language import parse_pool

Texts = Mapping[str, Sequence[tuple[str, ...]]]


@dataclass(frozen=True)
class DataSection(Section):
    kind: Literal["world", "verses", "text"]
    folder: str = ""  # of verses and text: beside the configuration, or under $REALINGO_DATA
    languages: str | tuple[str, ...] = ()  # any usual codes or a named pool; empty: every language there is


@dataclass(frozen=True)
class TokenizerSection(Section):
    vocabulary: Count = 16000  # sub-words


@dataclass(frozen=True)
class ModelSection(Section):
    layers: Count = 4
    width: Count = 128
    heads: Count = 4


@dataclass(frozen=True)
class TrainSection(Section):
    steps: Count = 2000
    batch: Count = 64  # sentences a step
    lr: Rate = 1e-3
    max_length: Count = 64  # tokens a sentence, at most
    seed: Seed = 0


@dataclass(frozen=True)
class PretrainConfig(Section):
    """The keys of `CONFIG.toml`; an unknown key is an error."""

    data: DataSection
    tokenizer: TokenizerSection = TokenizerSection()
    model: ModelSection = ModelSection()
    train: TrainSection = TrainSection()


def load_pretrain(path: Path) -> PretrainConfig:
    """Read and check a configuration; InputError names the file and the key that is wrong."""
    config = check(PretrainConfig, path, toml_file.read(path, [], "TOML file"))
    if (config.data.kind == "world") == bool(config.data.folder):
        wanted = "leave data.folder out" if config.data.folder else "add folder = … to [data]"
        raise InputError(f"{path.name}: data.folder does not fit kind = '{config.data.kind}'", wanted)
    if config.model.width % config.model.heads:
        raise InputError(
            f"{path.name}: model.width = {config.model.width} is no multiple of model.heads = {config.model.heads}",
            "each head takes an equal share of the width: change one of the two",
        )
    if not 8 <= config.train.max_length <= 512:
        raise InputError(f"{path.name}: train.max_length = {config.train.max_length}", "choose from 8 to 512 tokens")
    return config


def read_texts(data: DataSection, base: Path) -> Texts:
    """The sentences of every language to train on, by ISO 639-3 code; folders are looked for from `base`.

    InputError: no such folder, a language without text, or a malformed line.
    """
    corpus, present = _open(data, base)
    wanted = data.languages if isinstance(data.languages, str) else list(data.languages)
    codes = [language.code for language in parse_pool(wanted)] if wanted else present
    texts = {code: corpus.texts(code) for code in codes}
    if wanted and not all(texts.values()):
        silent = ", ".join(code for code, text in texts.items() if not text)
        raise InputError(f"there is no text in {silent}", "leave these languages out of data.languages")
    if not any(texts.values()):
        raise InputError(f"there is no text in {data.folder or data.kind}", "give files that hold sentences")
    return {code: text for code, text in texts.items() if text}


def run(config_path: Path, output: Path) -> None:
    """Train as the configuration says; `output`, a new or empty folder, is written at the end in one step."""
    config_path, output = config_path.absolute(), output.absolute()
    config = load_pretrain(config_path)
    vacant(output)
    texts = read_texts(config.data, config_path.parent)
    remark(f"{sum(map(len, texts.values()))} sentences in {len(texts)} languages")

    from realign.training.pretraining import Shape, pretrain

    model, train = config.model, config.train
    shape = Shape(
        vocabulary=config.tokenizer.vocabulary,
        layers=model.layers,
        width=model.width,
        heads=model.heads,
        steps=train.steps,
        batch=train.batch,
        lr=train.lr,
        length=train.max_length,
    )
    with progress() as advance:
        pretrain(texts, shape, train.seed, output, advance)
    write_line(output)


def _open(data: DataSection, base: Path) -> tuple[Monolingual, Sequence[str]]:
    """The text, and the languages it has."""
    if data.kind == "world":
        from realign.world.world import World

        world = World()
        return world, tuple(world.languages)
    from realign.corpora.folder import find_folder
    from realign.corpora.verses import Plain, Verses

    folder = find_folder(data.folder, base)
    files = Plain(folder) if data.kind == "text" else Verses(folder, "eng")
    return files, files.languages()
