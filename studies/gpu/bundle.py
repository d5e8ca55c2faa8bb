"""A real encoder and a real study in one small folder, for a machine that has torch and nothing of ours.

    python studies/gpu/bundle.py ENCODER DATA FOLDER      # DATA holds parallel/ and ud/, as for studies/real-e5

The vocabulary is cut to what the text uses. Weights that are multiples of a step in blocks of 32 (as those of
multilingual-e5-small in the package registry) are kept in 4 bits, exactly; others in 16 bits. Text is kept as numbers
of sub-words.
"""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import AutoConfig, AutoModel

from realign.corpora.corpus import Links
from realign.encoder.ragged import RaggedTable, first_subwords
from realign.tasks.transfer_task import TrainingSet
from realign.training.encoded_pairs import EncodedPairs
from realign.training.word_alignment import WordLinks, links_of, mutual, unit_words

POOL = tuple(
    "deu nld swe fra spa ces rus lvs cym ell pes pan heb cop ind tgl tam tel fin uig vie cmn jpn kor".split()  # noqa: SIM905
)  # of studies/real-small.toml
HELD_OUT = ["ben", "ceb", "gla", "guj", "hyw", "lit", "mal", "por"]
TUNE_SENTENCES, TEST_SENTENCES = 200, 300  # of a language that are looked at
LENGTH, TASK_LENGTH = 96, 128
BLOCK = 32
ALIGN = 256  # sentence pairs aligned at once
MIXER = np.uint64(11400714819323198485)  # odd, of 64 bits: Knuth's multiplicative hash


@dataclass(frozen=True)
class Split:
    """Sentences of several languages, one after the other, and the tag of each word."""

    table: RaggedTable
    gold: np.ndarray  # [rows, t] number of the tag that each sub-word is asked for, or −100
    language: np.ndarray  # [rows] place in `languages`
    languages: tuple[str, ...]
    words: np.ndarray  # [languages] words that are asked for


@dataclass(frozen=True)
class Bundle:
    """What a folder holds."""

    model: Any
    pairs: Mapping[str, EncodedPairs]
    lessons: TrainingSet
    splits: Mapping[str, Split]
    tags: tuple[str, ...]


def main(encoder: str, data: str, folder: str) -> None:
    from realign.corpora.conllu_lines import Conllu
    from realign.corpora.verses import Verses
    from realign.encoder.encoder import load
    from realign.tasks.tagging import Tagging
    from realign.tasks.transfer_task import FineTuning
    from realign.training.encoded_pairs import PairStore
    from realign.training.settings import Realignment

    whole = load(encoder)
    store = PairStore(whole, Verses(Path(data) / "parallel", "eng", POOL), Realignment(max_length=LENGTH))
    tagging = Tagging(
        whole, Conllu(Path(data) / "ud", [*POOL, *HELD_OUT, "eng"]), "eng", FineTuning(batch=32, max_length=TASK_LENGTH)
    )
    pairs = {code: store.of(code) for code in POOL}
    dev = {"tune": (["eng", *POOL], "dev", TUNE_SENTENCES), "test": ([*POOL, *HELD_OUT], "test", TEST_SENTENCES)}
    arrays: dict[str, np.ndarray] = {}
    texts: dict[str, RaggedTable] = {"train": tagging._lessons.table}
    for code, each in pairs.items():
        texts[f"source-{code}"], texts[f"target-{code}"] = each.source, each.target
    for name, (codes, split, most) in dev.items():
        texts[name], arrays[f"{name}.gold"], arrays[f"{name}.language"], arrays[f"{name}.words"] = _asked(
            tagging, codes, split, most
        )
    rows = np.arange(len(tagging._lessons.table))
    _, _, word = tagging._lessons.table.take(rows)
    gold = torch.full(word.shape, -100)
    gold[first_subwords(word)] = tagging._lessons.gold(rows, word)
    arrays["train.gold"] = gold.numpy().astype(np.int8)
    used = np.unique(np.concatenate([table.vocabulary for table in texts.values()]))
    place = np.zeros(used.max() + 1, dtype=np.uint32)
    place[used] = np.arange(len(used))
    seen: dict[int, str] = {}
    for name, table in texts.items():
        key = hash(np.asarray(table.ids).tobytes())
        if key in seen and name.startswith("source"):
            arrays[f"{name}.same"] = np.array(seen[key])
            continue
        seen[key] = name
        step = np.diff(np.asarray(table.word).astype(np.int32), prepend=0)
        arrays[f"{name}.ids"] = place[np.asarray(table.ids)]
        arrays[f"{name}.step"] = step.astype(np.int16)
        arrays[f"{name}.length"] = np.diff(table.offsets).astype(np.uint16)
    arrays |= _weights(whole.model, used)
    config = whole.model.config.to_dict() | {
        "vocab_size": len(used),
        "pad_token_id": int(place[whole.tokenizer.pad_token_id]),
    }
    about = {
        "config": {k: v for k, v in config.items() if isinstance(v, (int, float, str, bool))},
        "tags": tagging.tags,
        "tune": dev["tune"][0],
        "test": dev["test"][0],
        "pad": int(place[whole.tokenizer.pad_token_id]),
    }
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(out / "study.npz", about=np.array(json.dumps(about)), **arrays)
    print(f"{(out / 'study.npz').stat().st_size / 2**20:.1f} MiB, {len(used)} sub-words")
    check(whole.model, load_bundle(out), used)


def _asked(
    tagging: Any, codes: Sequence[str], split: Any, most: int
) -> tuple[RaggedTable, np.ndarray, np.ndarray, np.ndarray]:
    sentences = tagging._sentences(tuple(codes), split, most)
    windows, number = sentences.windows, {tag: place for place, tag in enumerate(tagging.tags)}
    table = windows.table
    _, _, word = table.take(np.arange(len(table)))
    gold = torch.full(word.shape, -100)
    for row in range(len(table)):
        tags = sentences.gold[int(windows.owner[row])]
        shown = first_subwords(word[row : row + 1])[0]
        gold[row, shown] = torch.tensor(
            [number.get(tags[int(windows.start[row]) + int(w)], -1) for w in word[row, shown]]
        )
    owner = np.repeat(np.arange(len(codes)), list(sentences.sizes.values()))
    words = np.bincount(owner, [len(x) for x in sentences.gold], len(codes))
    return table, gold.numpy().astype(np.int8), owner[windows.owner.numpy()].astype(np.uint8), words


def _weights(model: Any, used: np.ndarray) -> dict[str, np.ndarray]:
    found = {}
    for name, weight in model.state_dict().items():
        if "pooler" in name or "position_ids" in name:
            continue
        values = weight.numpy()
        if name == "embeddings.word_embeddings.weight":
            values = values[used]
        packed = _four_bits(values) if values.ndim == 2 and values.shape[1] % BLOCK == 0 else None
        if packed is None:
            found[f"w.{name}"] = values.astype(np.float32 if values.ndim < 2 else np.float16)
        else:
            found[f"q.{name}"], found[f"s.{name}"] = packed
    return found


def _four_bits(values: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Whole numbers −8 to 7, two in a byte [rows, columns / 2], and each block's step; None where that is not exact."""
    blocks = values.reshape(-1, BLOCK)
    top = np.abs(blocks).max(1)
    step, numbers = np.zeros(len(blocks), np.float32), np.zeros(blocks.shape, np.int8)
    left = top > 0
    for most in range(8, 0, -1):
        guess = (top / most).astype(np.float16).astype(np.float32)
        safe = np.where(guess > 0, guess, 1)
        safe = np.where(np.rint(blocks / safe[:, None]).max(1) > 7, -safe, safe)  # some makers give steps a sign
        guess = np.where(guess > 0, safe, 0)
        whole = np.rint(blocks / safe[:, None])
        fits = (
            left
            & (guess != 0)
            & (np.abs(whole * guess[:, None] - blocks).max(1) == 0)
            & (whole.min(1) >= -8)
            & (whole.max(1) <= 7)
        )
        step[fits], numbers[fits] = guess[fits], whole[fits]
        left &= ~fits
    if left.any():
        return None
    pairs = (numbers + 8).astype(np.uint8).reshape(*values.shape[:1], -1, 2)
    return pairs[..., 0] | pairs[..., 1] << 4, step.astype(np.float16).reshape(values.shape[0], -1)


def load_bundle(folder: Path) -> Bundle:
    """Read what `main` wrote."""
    with np.load(folder / "study.npz", allow_pickle=False) as arrays:
        about = json.loads(str(arrays["about"]))
        texts = {
            name.removesuffix(".ids"): _table(arrays, name.removesuffix(".ids"), about["pad"])
            for name in arrays
            if name.endswith(".ids")
        }
        for name in arrays:
            if name.endswith(".same"):
                texts[name.removesuffix(".same")] = texts[str(arrays[name])]
        gold = torch.from_numpy(arrays["train.gold"].astype(np.int64))
        splits = {
            name: Split(
                texts[name],
                arrays[f"{name}.gold"].astype(np.int64),
                arrays[f"{name}.language"],
                tuple(about[name]),
                arrays[f"{name}.words"],
            )
            for name in ("tune", "test")
        }
        state = {name[2:]: torch.from_numpy(_weight(arrays, name)) for name in arrays if name[:2] in ("w.", "q.")}
    codes = [name.removeprefix("target-") for name in texts if name.startswith("target-")]
    nothing = WordLinks.of([])
    pairs = {code: EncodedPairs(texts[f"source-{code}"], texts[f"target-{code}"], nothing) for code in codes}
    kind = about["config"].pop("model_type")
    config = AutoConfig.for_model(
        kind, **about["config"] | {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    )
    model = AutoModel.from_config(config, dtype=torch.float32)
    missing = model.load_state_dict(state, strict=False).missing_keys
    assert all("pooler" in name or "position_ids" in name for name in missing), missing

    def answers(rows: np.ndarray, word: Tensor) -> Tensor:
        return gold[torch.as_tensor(rows)][:, : word.shape[1]][first_subwords(word)]

    lessons = TrainingSet(
        texts["train"], len(about["tags"]), first_subwords, lambda states, word: states[first_subwords(word)], answers
    )
    return Bundle(model.eval(), pairs, lessons, splits, tuple(about["tags"]))


def linked(bundle: Bundle, most: int, layer: int, device: torch.device) -> Bundle:
    """The same with the first `most` pairs of a language and links of mutually nearest words, for the word loss.

    Words of the same sub-words are left out: they are aligned already.
    """
    pairs, model = {}, copy.deepcopy(bundle.model).to(device)
    for code, each in bundle.pairs.items():
        rows = np.arange(min(most, len(each.source)))
        source, target = each.source.select(rows), each.target.select(rows)
        links = [some for part in _chunks(len(rows)) for some in _links(model, source, target, part, layer)]
        pairs[code] = EncodedPairs(source, target, WordLinks.of(links))
    return replace(bundle, pairs=pairs)


def _chunks(count: int) -> Iterator[np.ndarray]:
    return (np.arange(start, min(start + ALIGN, count)) for start in range(0, count, ALIGN))


@torch.inference_mode()
def _links(model: Any, source: RaggedTable, target: RaggedTable, rows: np.ndarray, layer: int) -> list[Links]:
    ours, here = unit_words(model, source, rows, layer)
    theirs, there = unit_words(model, target, rows, layer)
    cosines = torch.bmm(ours, theirs.transpose(1, 2))
    mask = mutual(cosines.masked_fill(~(here[:, :, None] & there[:, None, :]), float("-inf"))).cpu().numpy()
    same = _spelling(source, rows, mask.shape[1])[:, :, None] == _spelling(target, rows, mask.shape[2])[:, None, :]
    return links_of(torch.from_numpy(mask & ~same))


def _spelling(table: RaggedTable, rows: np.ndarray, words: int) -> np.ndarray:
    """[n, words] a number that two words share where their sub-words are the same."""
    ids, _, word = (x.numpy() for x in table.take(rows))
    row, column = np.nonzero(word >= 0)
    number = word[row, column]
    first = np.flatnonzero(np.diff(row * words + number, prepend=-1))
    inside = np.arange(len(row)) - np.repeat(first, np.diff(first, append=len(row)))  # place in the word
    found = np.zeros((len(rows), words), dtype=np.uint64)
    np.add.at(found, (row, number), (ids[row, column].astype(np.uint64) + 1) * MIXER ** (inside.astype(np.uint64) + 1))
    return found


def cut(bundle: Bundle, count: int) -> Bundle:
    """The same with `count` sentences of each split and two blocks: for a rehearsal."""
    splits = {}
    for name, split in bundle.splits.items():
        rows = np.linspace(0, len(split.table) - 1, count).astype(int)
        splits[name] = replace(
            split, table=split.table.select(rows), gold=split.gold[rows], language=split.language[rows]
        )
    model = copy.deepcopy(bundle.model)
    model.encoder.layer = model.encoder.layer[:2]
    model.config.num_hidden_layers = 2
    return replace(bundle, model=model, splits=splits)


def _table(arrays: Any, name: str, pad: int) -> RaggedTable:
    offsets = np.concatenate([[0], np.cumsum(arrays[f"{name}.length"].astype(np.int64))])
    word = np.cumsum(arrays[f"{name}.step"].astype(np.int64)).astype(np.int16)
    return RaggedTable(arrays[f"{name}.ids"].astype(np.int32), word, offsets, pad)


def _weight(arrays: Any, name: str) -> np.ndarray:
    if name.startswith("w."):
        return arrays[name].astype(np.float32)
    packed = arrays[name]
    numbers = np.stack([packed & 15, packed >> 4], axis=-1).reshape(packed.shape[0], -1).astype(np.float32) - 8
    return numbers * np.repeat(arrays["s." + name[2:]].astype(np.float32), BLOCK, axis=1)


def check(model: Any, bundle: Bundle, used: np.ndarray) -> None:
    """Every weight came back as it was."""
    ours = bundle.model.state_dict()
    for name, weight in model.state_dict().items():
        if name in ours and "pooler" not in name:
            there = weight[torch.from_numpy(used)] if name == "embeddings.word_embeddings.weight" else weight
            worst = float((there - ours[name]).abs().max())
            assert worst == 0 or worst < 2e-3 * float(there.abs().max()), (name, worst)


if __name__ == "__main__":
    main(*sys.argv[1:4])
