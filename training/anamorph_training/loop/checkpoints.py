"""Checkpoints that survive a kill at any instant, without pickle.

A checkpoint is one safetensors file: every tensor of the state (weights, average, optimiser), and
in the file's metadata the rest as JSON. It is written under a temporary name, flushed to the disk
and renamed; the newest two are kept.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from anamorph.errors import InputError
from anamorph_training.loop.effort import Spent

Part = nn.Module | Optimizer

_FOLDER: Final = "checkpoints"
_KEPT: Final = 2
_TENSOR: Final = "__tensor__"
_INTEGER_KEYS: Final = "__integer_keys__"


def save_checkpoint(run: Path, step: int, state: dict[str, Any]) -> Path:
    """Write the state after ``step`` steps.

    Args:
        run: Folder of the run.
        step: Steps done.
        state: Nested dicts and lists of tensors and JSON values; dict keys are all text or all
            integers (as in an optimiser's ``state_dict``).
    """
    tensors: dict[str, Tensor] = {}
    rest = _detach(state, "", tensors)
    folder = run / _FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    target = checkpoint_file(run, step)
    temporary = folder / f"{step:09d}.tmp"
    save_file(tensors, temporary, metadata={"state": json.dumps(rest), "step": str(step)})
    with temporary.open("rb+") as stream:
        os.fsync(stream.fileno())
    temporary.replace(target)
    _flush_folder(folder)
    for old in _newest_first(run)[_KEPT:]:
        old.unlink(missing_ok=True)
    return target


def load_checkpoint(run: Path, device: str = "cpu") -> tuple[int, dict[str, Any]] | None:
    """Read the newest whole checkpoint of a run: (steps done, state), or None where there is none.

    Raises:
        InputError: There are checkpoints, but none can be read.
    """
    files = _newest_first(run)
    for path in files:
        try:
            with safe_open(path, framework="pt", device=device) as file:
                metadata = file.metadata()
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError):
            continue  # damaged after it was written: the one before it still serves
        return int(metadata["step"]), _attach(json.loads(metadata["state"]), tensors)
    if files:
        raise InputError(f"{files[0]}: no checkpoint of this run can be read; start a new run")
    return None


@dataclass(frozen=True)
class Resumed:
    """Where a run goes on.

    Attributes:
        step: Steps done; 0 for a new run.
        spent: Time spent so far; checkpoints of old count no GPU.
        record: Provenance of the weights; None for a new run and in checkpoints of old.
    """

    step: int = 0
    spent: Spent = field(default_factory=Spent)
    record: dict[str, Any] | None = None


def save_parts(
    run: Path,
    step: int,
    parts: Mapping[str, Part],
    *,
    spent: Spent,
    record: Mapping[str, Any],
) -> None:
    """Write a checkpoint of networks and optimisers after ``step`` steps.

    Args:
        run: Folder of the run.
        step: Steps done.
        parts: By their names in the checkpoint.
        spent: Time spent so far.
        record: Provenance of the weights, kept with them so that no kill can part the two.
    """
    state = {name: part.state_dict() for name, part in parts.items()}
    save_checkpoint(run, step, {**state, **asdict(spent), "record": dict(record)})


def resume_parts(run: Path, parts: Mapping[str, Part]) -> Resumed:
    """Load the newest checkpoint into networks and optimisers, where there is one."""
    found = load_checkpoint(run)
    if found is None:
        return Resumed()
    step, state = found
    for name, part in parts.items():
        if isinstance(part, Optimizer):
            restore_optimizer(part, state[name])
        else:
            part.load_state_dict(state[name])
    spent = Spent(state["cpu_seconds"], state.get("gpu_seconds", 0.0))
    return Resumed(step, spent, state.get("record"))


def load_ema(run: Path) -> dict[str, Tensor]:
    """Return the averaged weights of a run's last checkpoint, as a network's ``state_dict``.

    Raises:
        InputError: The run has no checkpoint.
    """
    found = load_checkpoint(run)
    if found is None:
        raise InputError(f"{run}: holds no checkpoint; train it first: anamorph train")
    average: dict[str, Tensor] = found[1]["average"]
    return average


def has_checkpoint(run: Path) -> bool:
    """Return whether a run has got as far as a checkpoint, whole or damaged."""
    return bool(_newest_first(run))


def checkpoint_file(run: Path, step: int) -> Path:
    """Return the file of the checkpoint after ``step`` steps."""
    return run / _FOLDER / f"{step:09d}.safetensors"


def _newest_first(run: Path) -> list[Path]:
    return sorted((run / _FOLDER).glob("*.safetensors"), reverse=True)


def _flush_folder(folder: Path) -> None:
    if os.name == "nt":
        return  # folders cannot be opened there, and need no flush
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _detach(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    """Move the tensors of a nested state into ``tensors`` and leave their names behind."""
    if isinstance(value, Tensor):
        # A copy of its own: safetensors refuses tensors that share memory.
        tensors[name] = value.detach().to("cpu", copy=True).contiguous()
        return {_TENSOR: name}
    if isinstance(value, dict):
        fields = {
            str(k): _detach(v, f"{name}.{k}" if name else str(k), tensors) for k, v in value.items()
        }
        integers = bool(value) and all(isinstance(key, int) for key in value)
        return {_INTEGER_KEYS: True, **fields} if integers else fields
    if isinstance(value, list | tuple):
        return [_detach(v, f"{name}.{i}", tensors) for i, v in enumerate(value)]
    return value


def _attach(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, dict):
        if _TENSOR in value:
            return tensors[value[_TENSOR]]
        if value.pop(_INTEGER_KEYS, False):
            return {int(key): _attach(item, tensors) for key, item in value.items()}
        return {key: _attach(item, tensors) for key, item in value.items()}
    if isinstance(value, list):
        return [_attach(item, tensors) for item in value]
    return value


def restore_optimizer(optimizer: Optimizer, state: dict[str, Any]) -> None:
    """Load an optimiser's ``state_dict`` in the memory layout of its parameters.

    Fused steps walk weights and moments side by side, so both must lie alike (channels last).
    """
    optimizer.load_state_dict(state)
    for parameter, moments in optimizer.state.items():
        for name, value in moments.items():
            if value.shape == parameter.shape:
                moments[name] = torch.empty_like(parameter).copy_(value)
