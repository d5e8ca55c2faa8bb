"""Encoders and their tokenizers: load, copy, encode words."""

from __future__ import annotations

import copy
import hashlib
import json
import math
import os
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import torch
from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, LocalEntryNotFoundError
from safetensors.torch import save_file
from tokenizers import __version__ as tokenizers_version
from torch import nn
from transformers import AutoConfig, AutoModel, AutoModelForTokenClassification
from transformers.utils import logging as transformers_logging

from realign.encoder.hidden_states import States as States
from realign.encoder.hidden_states import hidden_states as hidden_states
from realign.encoder.ragged import RaggedTable
from realign.encoder.refusals import check_weights, lacks_weights, refusal
from realign.encoder.signatures import canonical, encoder_signature, tokenizer_facts
from realign.encoder.tokenizer import load_tokenizer, needs_spaces, with_spaces
from selector.errors import InputError

Words = Sequence[tuple[str, ...]]
Stamps = tuple[tuple[int, int, int, int] | None, ...]

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
IGNORE = -100
ANSWER = 10  # seconds the hub has to say which commit a revision is
HEAD = "head.safetensors"  # beside an encoder: a task's head that no class of transformers loads
DROPOUT = 0.0  # of small encoders: it would cost a quarter of the time on a CPU

transformers_logging.set_verbosity_error()
transformers_logging.disable_progress_bar()


@dataclass(frozen=True)
class Encoder:
    """A starting point: weights that are never changed in place, and their tokenizer."""

    model: nn.Module
    tokenizer: Any
    signature: str  # hash of the whole configuration, the weights, and what the tokenizer does to text
    origin: str = ""  # a folder, or hub id and commit
    files: tuple[Path, ...] = ()  # that weights are mapped from
    _seen: dict[Stamps, str] = field(default_factory=dict, repr=False, compare=False)  # state of the files → signature

    @property
    def depth(self) -> int:
        """Number of its blocks."""
        return int(self.model.config.num_hidden_layers)  # type: ignore

    @property
    def width(self) -> int:
        return int(self.model.config.hidden_size)  # type: ignore[union-attr, arg-type]

    @cached_property
    def tokenizer_signature(self) -> str:
        """Hash of everything that turns words into sub-words, except the length at which text was cut last."""
        facts = [tokenizers_version, tokenizer_facts(self.tokenizer)]
        return "tokenizer:" + hashlib.sha256(canonical(facts)).hexdigest()[:16]

    def signature_now(self) -> str:
        """Signature of what is in memory now. Weights are mapped: they change with a file that is overwritten."""
        stamps = _stamps(self.files)
        if stamps not in self._seen:
            self._seen[stamps] = encoder_signature(self.model, self.tokenizer)
        return self._seen[stamps]

    def limit(self, max_length: int) -> int:
        """Longest row in sub-words: the least of `max_length`, the tokenizer's limit and the model's positions."""
        return int(min(max_length, self.tokenizer.model_max_length, position_count(self.model)))

    @cached_property
    def needs_spaces(self) -> bool:
        """True if words must have a space before them to be read as in running text."""
        return needs_spaces(self.tokenizer)

    def copy(self) -> nn.Module:
        """New model with the starting weights, ready to be trained."""
        return copy.deepcopy(self.model)

    def encode(self, sentences: Words, max_length: int, seconds: Words | None = None) -> RaggedTable:
        """Sub-word ids of `sentences` given as words; the same ids as for running text with spaces between the words.

        Longer sentences are cut at `max_length` sub-words. `seconds` makes pairs: the longer sentence of a pair is cut
        first, and the words of each are numbered from 0.
        """
        limit = self.limit(max_length)
        written = with_spaces if self.needs_spaces else list
        fast = self.tokenizer(
            [written(words) for words in sentences],
            [written(words) for words in seconds] if seconds is not None else None,
            is_split_into_words=True,
            truncation=True,
            max_length=limit,
            return_attention_mask=False,
            return_token_type_ids=False,
        )
        words = [[-1 if w is None else w for w in fast.word_ids(i)] for i in range(len(sentences))]
        return RaggedTable.pack(fast["input_ids"], words, self.tokenizer.pad_token_id)


def position_count(model: nn.Module) -> float:
    """Number of positions that `model` can tell apart; infinity if it has no position embeddings.

    RoBERTa-like models count from behind the number of their padding, so their first rows are never used.
    """
    for name, part in model.named_modules():
        if name.rpartition(".")[2] == "position_embeddings" and isinstance(part, nn.Embedding):
            return part.num_embeddings - (0 if part.padding_idx is None else part.padding_idx + 1)
    return getattr(getattr(model, "config", None), "max_position_embeddings", None) or math.inf


def transformer_blocks(model: nn.Module) -> list[nn.Module]:
    """Transformer blocks of the encoder `model`, lowest first. InputError: its type is not known."""
    for path in ("encoder.layer", "transformer.layer", "layers"):
        found: Any = model
        for name in path.split("."):
            found = getattr(found, name, None)
        if isinstance(found, nn.ModuleList):
            return list(found)
    raise InputError(
        f"freezing is not known for {type(model).__name__}", 'set freeze = "none", or use a BERT or XLM-R type encoder'
    )


def load(base: str, revision: str | None = None) -> Encoder:
    """Encoder from `base`, a folder or an id of the hub. Only safetensors are read; no code from a repository is run.

    On the hub `revision` (a branch, a tag or a commit; None: main) is resolved to a commit once, and tokenizer and
    weights come from that commit. What is already in the cache loads without the hub. InputError: it cannot be loaded,
    or not used.
    """
    commit = None if Path(base).is_dir() else _commit(base, revision)
    files = tuple(sorted(Path(base).glob("*.safetensors"))) if commit is None else ()
    stamps = _stamps(files)
    try:
        tokenizer = load_tokenizer(base, commit)
        config = without_kernels(AutoConfig.from_pretrained(base, revision=commit, trust_remote_code=False))
        with torch.random.fork_rng(devices=[]):
            # weights the checkpoint lacks (often the pooler) are drawn at random, and the signature sees them
            torch.manual_seed(0)
            model, about = AutoModel.from_pretrained(
                base,
                config=config,
                revision=commit,
                trust_remote_code=False,
                use_safetensors=True,
                dtype=torch.float32,
                output_loading_info=True,
            )
    except Exception as problem:  # broken files raise errors of many kinds
        raise refusal(base, commit, problem) from problem
    if not tokenizer.is_fast:
        raise InputError(
            f"the tokenizer of {base!r} cannot map sub-words to words", "use a model with a fast tokenizer"
        )
    _check_whole(base, commit, tokenizer, about["missing_keys"])
    check_weights(base, model, 1 + max(tokenizer.get_vocab().values()), about["unexpected_keys"])
    origin = f"{base}@{commit}" if commit else base
    signature = encoder_signature(model.eval(), tokenizer)
    return Encoder(model, tokenizer, signature, origin, files, {stamps: signature})


def _stamps(files: Sequence[Path]) -> Stamps:
    """State of the files, which changes with them; None for a file that is gone."""
    found: list[tuple[int, int, int, int] | None] = []
    for file in files:
        try:
            status = file.stat()
        except OSError:
            found.append(None)
        else:
            found.append((status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino))
    return tuple(found)


def without_kernels(config: Any) -> Any:
    """Copy of `config` without the kernels that it names, which may be repositories to fetch and run."""
    for part in (config, *(getattr(config, name, None) for name in config.sub_configs)):
        if part is not None:
            part._attn_implementation_internal = part._experts_implementation_internal = None
    return config


def _check_whole(base: str, commit: str | None, tokenizer: Any, missing: Collection[str]) -> None:
    """InputError if `transformers` made up missing parts: weights other than the pooler's, or the vocabulary."""
    if lost := sorted(name for name in missing if "pooler" not in name):
        raise lacks_weights(base, commit, lost)
    if len(tokenizer) <= len(tokenizer.all_special_tokens):
        raise InputError(f"the tokenizer of {base!r} has no vocabulary", "put tokenizer.json beside the weights")


def _commit(base: str, revision: str | None) -> str:
    """The commit of a model on the hub, or of its copy in the cache where the hub does not answer within seconds."""
    try:
        cached = not _answers(base, revision)  # asked once: a download tries again for half a minute
        return Path(hf_hub_download(base, "config.json", revision=revision, local_files_only=cached)).parent.name
    except GatedRepoError as problem:
        message = f"cannot load the encoder {base!r}: it is gated, its owners give access on request"
        raise InputError(message, "ask for access on its page, then log in: hf auth login") from problem
    except LocalEntryNotFoundError as problem:
        raise refusal(base, "", OSError("the hub does not answer, and it is not in the cache")) from problem
    except Exception as problem:
        raise refusal(base, "", problem) from problem


def _answers(base: str, revision: str | None) -> bool:
    """True if the hub answers, even with a refusal."""
    try:
        get_hf_file_metadata(hf_hub_url(base, "config.json", revision=revision), timeout=ANSWER)
    except HfHubHTTPError:
        return True
    except Exception:  # no network, no such host, offline by choice
        return False
    return True


def save(model: Any, tokenizer: Any, folder: Path) -> None:
    """Write the weights of `model` and its `tokenizer` to `folder`, in the form that `transformers` loads.

    The length at which sentences were cut last is left out.
    """
    model.save_pretrained(folder)
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.save_pretrained(folder)


@dataclass(frozen=True)
class Answers:
    """Outputs of a task's head: its labels, in order, and the token states that it reads."""

    labels: tuple[str, ...]
    read: Literal["word", "first", "mean"]  # the first sub-word of each word, the first token, the mean over sub-words


def save_with_head(model: Any, head: nn.Module, answers: Answers, tokenizer: Any, folder: Path) -> str:
    """Write the encoder as `save` does, with the linear `head` of a task; the encoder alone still loads as before.

    Returns what loads the head: the name of a class of `transformers` that computes the same (this is tried), else the
    name of the file `HEAD` with the tensors weight [labels, d] and bias [labels] and, as JSON in its header, the
    answers.
    """
    whole = _with_head(model, head, answers) if answers.read == "word" else None
    if whole is not None:
        save(whole, tokenizer, folder)
        return "AutoModelForTokenClassification"
    save(model, tokenizer, folder)
    tensors = {name: weight.detach().cpu().contiguous() for name, weight in head.state_dict().items()}
    save_file(tensors, folder / HEAD, metadata={"realingo": json.dumps(asdict(answers))})
    return HEAD


@torch.no_grad()
def _with_head(model: Any, head: nn.Module, answers: Answers) -> Any:
    """Encoder and head as one model of `transformers`; None if it has no class for the type or this kind of head."""
    config = copy.deepcopy(model.config)
    config.id2label = dict(enumerate(answers.labels))
    config.label2id = {label: number for number, label in config.id2label.items()}
    device = next(model.parameters()).device
    try:
        with torch.random.fork_rng(devices=[]):
            whole = AutoModelForTokenClassification.from_config(config).to(device)
    except ValueError:
        return None
    if type(getattr(whole, "classifier", None)) is not nn.Linear:
        return None
    setattr(whole, whole.base_model_prefix, model)
    whole.classifier.load_state_dict(head.state_dict())
    ids = torch.arange(min(8, config.vocab_size), device=device)[None]
    given = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    ours, theirs = head(model.eval()(**given)[0]), whole.eval()(**given).logits
    return whole if torch.allclose(ours, theirs, rtol=1e-4, atol=1e-5) else None


def publish(workshop: Path, output: Path) -> None:
    """Flush every file in `workshop` to disk, then move the folder to `output`, readable by others."""
    for file in workshop.rglob("*"):
        if file.is_dir():
            file.chmod(0o755)
            continue
        file.chmod(0o644)
        with file.open("rb") as handle:
            os.fsync(handle.fileno())
    workshop.chmod(0o755)
    os.replace(workshop, output)
