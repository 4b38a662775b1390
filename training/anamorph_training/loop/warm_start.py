"""Start a network from the weights of another run."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from anamorph.errors import InputError
from anamorph_training.loop.checkpoints import load_ema, newest_checkpoint


def load_weights(network: nn.Module, run: Path) -> list[str]:
    """Copy a run's averaged weights into a network, wherever name and shape fit.

    Args:
        network: Changed in place.
        run: Folder of the other run.

    Returns:
        Names of the weights that stay fresh, such as the tail's when the scale differs.

    Raises:
        InputError: The folder holds no run with a checkpoint, or no weight fits.
    """
    weights = load_ema(run)
    own = network.state_dict()
    fitting = {
        name: value
        for name, value in weights.items()
        if name in own and own[name].shape == value.shape
    }
    if not fitting:
        raise InputError(
            f"{run}: none of its weights fits this network; give a run of the same width (--start)"
        )
    network.load_state_dict(fitting, strict=False)
    return [name for name in own if name not in fitting]


def take_over(
    run: Path, network: nn.Module, average: nn.Module, *, report: Callable[[str], None]
) -> None:
    """Begin with another run's weights, and tell which ones stay fresh.

    Args:
        run: Folder of the other run.
        network: Changed in place.
        average: Its average; changed in place.
        report: Told in one line.

    Raises:
        InputError: As `load_weights` does.
    """
    fresh = load_weights(network, run)
    average.load_state_dict(network.state_dict())
    report(f"{run}: its weights are taken over; fresh are: {', '.join(fresh) or 'none'}")


def describe_start(run: Path) -> dict[str, Any]:
    """Return the fields of `anamorph.card.Ancestor` for a run's last checkpoint.

    Raises:
        InputError: The folder is no run, or does not say where its weights come from.
    """
    if not run.is_dir():
        raise InputError(f"{run}: no such folder; give the folder of a run (--start)")
    try:
        record = json.loads((run / "provenance.json").read_text(encoding="utf-8"))
        with newest_checkpoint(run).open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except (OSError, ValueError) as error:
        raise InputError(
            f"{run}: cannot be read ({error}); continue it to its next checkpoint"
        ) from None
    kept = ("recipe", "steps", "cpu_hours", "gpu_hours", "code_revision")
    return {**{name: record[name] for name in kept if name in record}, "checkpoint": digest}
