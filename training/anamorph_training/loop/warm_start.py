"""Start a network from the weights of another run."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from torch import Tensor, nn

from anamorph.errors import InputError, ModelNotFoundError
from anamorph_training.loop.checkpoints import (
    checkpoint_file,
    has_checkpoint,
    load_checkpoint,
    load_ema,
)
from anamorph_training.loop.provenance import Record, read_provenance

_KEPT: Final = (
    "recipe",
    "steps",
    "cpu_hours",
    "gpu_hours",
    "datasets",
    "code_revision",
    "start",
    "voice",
)

# What names begin with where weights come from, and what with where they go.
_PARTS: Final = (
    ("", ""),
    ("to_target.", ""),  # from a pair of generators to one, and back
    ("", "to_target."),
    ("vocoder.", ""),  # from graphs
    ("vocoder.vocoder.", ""),
    ("generator.", ""),
    ("generator.", "to_target."),
)


def load_weights(network: nn.Module, run: Path) -> list[str]:
    """Copy a run's averaged weights into a network, wherever name and shape fit.

    Kernels over time of a network that looks less far ahead take all but the last taps.

    Args:
        network: Changed in place.
        run: Folder of the other run, or the zoo name or file of a vocoder or a voice.

    Returns:
        Names of the weights that stay fresh, such as the tail's when the scale differs.

    Raises:
        InputError: The folder holds no run with a checkpoint, or no weight fits.
    """
    weights = load_ema(run) if run.is_dir() else _read_voice(run)
    own = network.state_dict()
    fitting = max((_fit(_renamed(weights, theirs, mine), own) for theirs, mine in _PARTS), key=len)
    if not fitting:
        raise InputError(
            f"{run}: none of its weights fits this network; give a run of the same width (--start)"
        )
    network.load_state_dict(fitting, strict=False)
    return [name for name in own if name not in fitting]


def _renamed(weights: dict[str, Tensor], theirs: str, mine: str) -> dict[str, Tensor]:
    return {
        mine + name.removeprefix(theirs): value
        for name, value in weights.items()
        if name.startswith(theirs)
    }


def _fit(weights: dict[str, Tensor], own: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights whose name and shape a network has."""
    cut = {name: _cut_kernel(value, own[name]) for name, value in weights.items() if name in own}
    return {name: value for name, value in cut.items() if value.shape == own[name].shape}


def _cut_kernel(value: Tensor, own: Tensor) -> Tensor:
    """Return a kernel over time without the taps ahead that ``own`` has not."""
    over_time = value.dim() == own.dim() == 3  # (outputs, inputs, taps)
    return value[..., : own.shape[2]] if over_time else value


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


def take_over_critic(run: Path, critic: nn.Module, *, report: Callable[[str], None]) -> None:
    """Begin with another run's discriminators, if it is a run and all of their weights fit.

    Args:
        run: Folder of the other run, or the zoo name or file of a voice, which has none.
        critic: Changed in place.
        report: Told in one line.
    """
    found = load_checkpoint(run) if run.is_dir() else None
    weights = found[1].get("discriminator", {}) if found else {}
    shapes, own_shapes = (
        {name: value.shape for name, value in state.items()}
        for state in (weights, critic.state_dict())
    )
    if shapes != own_shapes:
        report(f"{run}: has no discriminators that fit; they begin fresh")
        return
    critic.load_state_dict(weights)
    report(f"{run}: its discriminators are taken over")


def describe_start(start: Path | None, run: Path) -> Record | None:
    """Return the fields of `anamorph.card.Ancestor` for the checkpoint that a run begins with.

    Args:
        start: Folder of the other run, or the zoo name or file of a vocoder or a voice.
        run: Folder of the run itself; once it has a checkpoint of its own, nothing is read, and
            None returned.

    Raises:
        InputError: ``start`` is no run, or does not say where its weights come from.
    """
    if start is None or has_checkpoint(run):
        return None
    return describe_model(start, option="--start")


def describe_model(given: Path, *, option: str) -> Record:
    """Return the fields of `anamorph.card.Ancestor` for a run, or for an exported voice.

    Args:
        given: Folder of a run, or the zoo name or file of a vocoder or a voice.
        option: That it was given as, for messages.

    Raises:
        InputError: It is no such thing, or does not say where its weights come from.
    """
    if given.is_dir():
        return describe_run(given)
    # Imported here: a run starts from another one without onnx.
    from anamorph.loading import resolve
    from anamorph.model_file import read_model

    try:
        file = Path(resolve(str(given)))
    except ModelNotFoundError:
        raise InputError(
            f"{given}: no such folder; give the folder of a run, or a vocoder or a voice ({option})"
        ) from None
    card = read_model(file).card
    if card.task not in ("vocode", "convert") or card.provenance is None:
        raise InputError(f"{given}: is no vocoder or voice that was trained here ({option})")
    record: Record = msgspec.to_builtins(card.provenance)
    kept = {name: record[name] for name in _KEPT if record.get(name) is not None}
    return {**kept, "checkpoint": hashlib.sha256(file.read_bytes()).hexdigest()}


def describe_run(run: Path) -> Record:
    """Return the fields of `anamorph.card.Ancestor` for a run's newest checkpoint.

    Raises:
        InputError: It is no run, or does not say where its weights come from.
    """
    found = load_checkpoint(run)
    if found is None:
        raise InputError(f"{run}: holds no checkpoint; train it first: anamorph train")
    step, state = found
    record = state.get("record") or read_provenance(run)
    if record is None:
        raise InputError(
            f"{run}: does not say where its weights come from; continue it to its next checkpoint"
        )
    with checkpoint_file(run, step).open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {**{name: record[name] for name in _KEPT if name in record}, "checkpoint": digest}


def _read_voice(start: Path) -> dict[str, Tensor]:
    # Imported here: a run starts from another one without onnx.
    from anamorph_training.onnx_weights import read_voice

    return read_voice(str(start))
