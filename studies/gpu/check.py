"""What must hold on a GPU before its speed means anything. Each check prints one line and ends up in check.json."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from realign.encoder.hidden_states import hidden_states, net_of
from realign.encoder.packed import Packed, forward
from realign.score import Fidelity
from realign.tasks.side_by_side import train
from realign.tasks.transfer_task import FineTuning, Tuner
from realign.tasks.transfer_task import train as finetune
from realign.training.realigner import Realigner, realign
from realign.training.settings import Realignment
from realign.training.stacked_steps import CandidateRun, RealignSteps, lay_out
from realign.training.stacked_weights import StackedWeights
from studies.gpu.bundle import Bundle
from studies.gpu.table import Task

HOW = Realignment(batch=32, lr=1e-4)
STEPS = 12


def run(bundle: Bundle, device: torch.device, tiny: bool = False) -> dict[str, Any]:
    if tiny:
        globals().update(HOW=replace(HOW, batch=4), STEPS=2)
    checks: Mapping[str, Callable[[Bundle, torch.device], Any]] = {
        "packed_is_padded": packed_is_padded,
        "attention_kernels_agree": attention_kernels_agree,
        "same_seed_same_weights": same_seed_same_weights,
        "side_by_side_is_alone": side_by_side_is_alone,
        "captured_is_eager": captured_is_eager,
        "out_of_memory_changes_nothing": out_of_memory_changes_nothing,
    }
    found = {}
    for name, check in checks.items():
        try:
            found[name] = check(bundle, device)
        except Exception as problem:  # one broken check must not cost the others
            found[name] = {"ok": False, "error": f"{type(problem).__name__}: {problem}"[:400]}
        print(name, found[name], flush=True)
    return found


def _some(bundle: Bundle, count: int = 48) -> tuple[Tensor, Tensor, Tensor]:
    table = bundle.splits["tune"].table
    return table.take(np.linspace(0, len(table) - 1, count).astype(int))


def _error(found: Tensor, wanted: Tensor) -> float:
    return float((found.float() - wanted.float()).norm() / wanted.float().norm())


@torch.inference_mode()
def packed_is_padded(bundle: Bundle, device: torch.device) -> dict[str, Any]:
    """Relative error of the last states against the model's own forward pass in fp32."""
    model = copy.deepcopy(bundle.model).to(device)
    ids, mask, word = _some(bundle)
    shown = word >= 0
    wanted = model(input_ids=ids.to(device), attention_mask=mask.to(device)).last_hidden_state[shown.to(device)]
    found: dict[str, Any] = {}
    for precision in ("fp32", "bf16"):
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            padded = model(input_ids=ids.to(device), attention_mask=mask.to(device)).last_hidden_state
            rows = hidden_states(model, ids, mask)
            flat = _flat(model, ids, mask, device)
        found[precision] = {
            "padded": _error(padded[shown.to(device)], wanted),
            "rows": _error(rows[shown.to(device)], wanted),
            "sentences": _error(flat[: int(mask.sum())][shown[mask > 0].to(device)], wanted),
        }
    found["ok"] = max(found["fp32"].values()) < 1e-4 and max(found["bf16"].values()) < 2e-2
    return found


def _flat(model: nn.Module, ids: Tensor, mask: Tensor, device: torch.device) -> Tensor:
    inputs = lay_out([(ids, mask, mask)], [np.zeros((3, 1), np.int32)])
    tokens, borders = (torch.from_numpy(x).to(device) for x in (inputs.tokens[:, 0], inputs.borders))
    net = net_of(model)
    assert net is not None
    return forward(
        net, Packed(tokens[0], tokens[1], tokens[1], None, 0, 0, inputs.longest, None, borders), len(net.blocks)
    )


def attention_kernels_agree(bundle: Bundle, device: torch.device) -> dict[str, Any]:
    """Gradient of the first weights by each kernel that SDPA has for our rows, against its plain mathematics."""
    ids, mask, word = _some(bundle)
    found: dict[str, Any] = {}
    reference: Tensor | None = None
    for name in ("MATH", "EFFICIENT_ATTENTION", "CUDNN_ATTENTION", "FLASH_ATTENTION"):
        model = copy.deepcopy(bundle.model).to(device)
        try:
            with sdpa_kernel(getattr(SDPBackend, name)), torch.autocast(device.type, torch.bfloat16):
                states = hidden_states(model, ids, mask, wanted=word >= 0)
            states[(word >= 0).to(device)].float().square().mean().backward()
        except RuntimeError as problem:
            found[name] = str(problem).splitlines()[0][:100]
            continue
        weight = net_of(model).blocks[0].up[0].grad  # type: ignore
        reference = weight if reference is None else reference
        found[name] = _error(weight, reference)
    found["ok"] = all(isinstance(x, str) or x < 5e-2 for x in found.values())
    return found


def _hash(model: nn.Module) -> str:
    digest = hashlib.sha256()
    for weight in model.state_dict().values():
        digest.update(weight.detach().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


def _alone(bundle: Bundle, device: torch.device, how: Realignment, steps: int) -> nn.Module:
    model = copy.deepcopy(bundle.model).to(device)
    realign(model, {code: bundle.pairs[code] for code in ("deu", "jpn")}, how, steps, 3)
    finetune(model, Tuner(model, bundle.lessons, FineTuning(batch=16, lr=5e-4), steps, 3), steps)
    return model


def same_seed_same_weights(bundle: Bundle, device: torch.device) -> dict[str, Any]:
    first, second = (_hash(_alone(bundle, device, HOW, STEPS)) for _ in range(2))
    return {"ok": first == second, "weights": [first, second]}


def side_by_side_is_alone(bundle: Bundle, device: torch.device) -> dict[str, Any]:
    """Relative error of how far the weights moved, after as many steps of each phase in fp32 and in bf16."""
    found: dict[str, Any] = {}
    for precision in ("fp32", "bf16") if device.type == "cuda" else ("fp32",):
        how = replace(HOW, precision=precision)  # type: ignore
        alone = _alone_in(bundle, device, how)
        runs = [
            CandidateRun({"fin": bundle.pairs["fin"]}, 1),
            CandidateRun({code: bundle.pairs[code] for code in ("deu", "jpn")}, 3),
        ]
        model = copy.deepcopy(bundle.model).to(device)
        task = Task(bundle, FineTuning(batch=16, lr=5e-4, precision=precision))  # type: ignore
        *_, (many, _) = train(model, runs, how, task, Fidelity(STEPS * how.batch, STEPS, 0))
        start = dict(bundle.model.named_parameters())
        names = [name for name, _ in alone.named_parameters() if "encoder.layer" in name]
        ours, theirs = dict(many.named_parameters()), dict(alone.named_parameters())
        moved = torch.cat([(theirs[n].cpu() - start[n]).flatten() for n in names])
        found[precision] = _error(torch.cat([(ours[n].cpu() - start[n]).flatten() for n in names]), moved)
    found["ok"] = found["fp32"] < 0.1
    return found


def _alone_in(bundle: Bundle, device: torch.device, how: Realignment) -> nn.Module:
    model = copy.deepcopy(bundle.model).to(device)
    realign(model, {code: bundle.pairs[code] for code in ("deu", "jpn")}, how, STEPS, 3)
    finetune(
        model, Tuner(model, bundle.lessons, FineTuning(batch=16, lr=5e-4, precision=how.precision), STEPS, 3), STEPS
    )
    return model


def captured_is_eager(bundle: Bundle, device: torch.device) -> dict[str, Any]:
    """The same for steps replayed from CUDA graphs."""
    found = []
    for capture in (False, True):
        weights = StackedWeights(copy.deepcopy(bundle.model).to(device).train(), None)
        phase = RealignSteps(weights, [CandidateRun({"deu": bundle.pairs["deu"]}, 0)], HOW, 2 * STEPS, capture)
        phase.take(2 * STEPS)
        graphs = len(phase._graphs)
        phase.finish()
        found.append(weights.flat[1].detach().clone())
    start = StackedWeights(copy.deepcopy(bundle.model).to(device), None).flat[1]
    error = _error(found[1] - start, found[0] - start)
    return {"ok": error < 0.1, "error": error, "graphs": graphs}


def out_of_memory_changes_nothing(bundle: Bundle, device: torch.device) -> dict[str, Any]:
    """Two steps of 512 pairs with room for them, and with too little: smaller pieces, the same loss and weights."""
    how = replace(HOW, batch=512 if device.type == "cuda" else 8, precision="fp32")
    moved, micro = [], []
    for limit in (None, 6.0):
        model = copy.deepcopy(bundle.model).to(device)
        if device.type == "cuda":
            torch.cuda.empty_cache()
            whole = torch.cuda.get_device_properties(device).total_memory
            torch.cuda.set_per_process_memory_fraction(1.0 if limit is None else limit * 2**30 / whole)
        realigner = Realigner(model, {"deu": bundle.pairs["deu"]}, how, 2, 0)
        try:
            realigner.step()
            realigner.step()
        finally:
            if device.type == "cuda":
                torch.cuda.set_per_process_memory_fraction(1.0)
        realigner.finish()
        micro.append(realigner.micro)
        moved.append(torch.cat([x.detach().cpu().flatten() for x in model.parameters()]))
    start = torch.cat([x.detach().flatten() for x in bundle.model.parameters()])
    error = _error(moved[1] - start, moved[0] - start)
    return {
        "ok": error < 0.05 and (device.type == "cpu" or micro[1] < micro[0]),
        "error": error,
        "sentences_at_once": micro,
    }
