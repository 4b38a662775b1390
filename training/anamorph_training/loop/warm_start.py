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


def fill(network: nn.Module, run: Path) -> None:
    """Copy a run's averaged weights into a network of the very same shape.

    Args:
        network: Changed in place.
        run: Folder of the other run.

    Raises:
        InputError: The folder holds no run with a checkpoint, or a weight has no counterpart.
    """
    if not run.is_dir():
        raise InputError(f"{run}: no such folder; give the folder of a run (--start)")
    weights, own = load_ema(run), network.state_dict()
    shapes, own_shapes = (
        {name: tuple(value.shape) for name, value in state.items()} for state in (weights, own)
    )
    for name in sorted(shapes.keys() | own_shapes.keys()):
        theirs, mine = shapes.get(name, "absent"), own_shapes.get(name, "absent")
        if theirs != mine:
            raise InputError(
                f"{run}: is of another network ({name} is {theirs} there, {mine} here); give the "
                f"options of its network again, which {run / 'config.json'} names, such as "
                "--channels, --blocks and --branches"
            )
    network.load_state_dict(weights)


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
