"""A folder as a new user has it: Moses files of several corpora and UD treebanks as released, in five languages."""

from __future__ import annotations

import sys
from pathlib import Path

from small_study import SHAPE, treebank, write_lines

from realign.training.pretraining import pretrain
from realign.world.world import Sizes, World

SIZES = Sizes(parallel=40, source=24, evaluation=10, text=40, source_text=60, low_text=20)
TREEBANKS = {  # language → its treebanks, as Universal Dependencies name folders and files
    "eng": [("UD_English-EWT", "en_ewt")],
    "deu": [("UD_German-GSD", "de_gsd"), ("UD_German-HDT", "de_hdt")],
    "fin": [("UD_Finnish-TDT", "fi_tdt")],
    "hin": [("UD_Hindi-HDTB", "hi_hdtb")],
    "jpn": [("UD_Japanese-GSD", "ja_gsd")],
    "tur": [("UD_Turkish-IMST", "tr_imst")],
}
CORPORA = {"de": "europarl", "fi": "europarl", "hi": "tanzil", "ja": "tanzil", "tr": "tanzil"}
CODES = {"de": "deu", "fi": "fin", "hi": "hin", "ja": "jpn", "tr": "tur"}


def write(folder: Path) -> None:
    """Text in `text/<corpus>/en-<code>/`, treebanks in `ud-treebanks-v2.17/UD_…/`, and what else lies around."""
    world = World(0, SIZES)
    for short, code in CODES.items():
        pairs, pair = world.pairs(code, "train"), "-".join(sorted(("en", short)))
        place = folder / "text" / CORPORA[short] / pair
        write_lines(place / f"{CORPORA[short]}.{pair}.en", (" ".join(each.source) for each in pairs))
        write_lines(place / f"{CORPORA[short]}.{pair}.{short}", (" ".join(each.target) for each in pairs))
        write_lines(place / "README", ["from OPUS"])
    for code, treebanks in TREEBANKS.items():
        for number, (name, prefix) in enumerate(treebanks):
            for split in ("train", "dev", "test"):
                sentences = world.sentences(code, split) if code == "eng" or split != "train" else []
                if sentences and not (number and split == "dev"):
                    treebank(folder / "ud-treebanks-v2.17" / name / f"{prefix}-ud-{split}.conllu", sentences)
            write_lines(folder / "ud-treebanks-v2.17" / name / "README.md", ["# Summary"])
    (folder / ".git").mkdir()


def make_encoder(folder: Path) -> None:
    """A small encoder pretrained on the same text."""
    world = World(0, SIZES)
    pretrain({code: world.texts(code) for code in ("eng", *CODES.values())}, SHAPE, 0, folder)


if __name__ == "__main__":
    home = Path(sys.argv[1])
    write(home / "my-data")
    make_encoder(home / "encoder")
