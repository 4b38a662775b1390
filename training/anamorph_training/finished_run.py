"""Read the folder of a training run: its network with the averaged weights, and its history."""

import json
import re
import zipfile
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from torch import nn

from anamorph.card import Provenance
from anamorph.errors import InputError
from anamorph_training.code_watch import CODES_FILE
from anamorph_training.data.folder import decode
from anamorph_training.data.images import LEARNT_FILE
from anamorph_training.loop.checkpoints import load_ema
from anamorph_training.rebuilding import rebuild

_PERCEPTUAL: Final = frozenset({"srgan"})


@dataclass(frozen=True)
class KnownCodes:
    """Codes of up to 10,000 of the pictures that a run learnt from.

    Attributes:
        mean: float32 (n, latent); of a VAE, the means of the posteriors.
        log_variance: Of the posteriors, natural log, shaped alike; None of an autoencoder.
    """

    mean: NDArray[np.float32]
    log_variance: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Run:
    """What a training run left behind.

    Attributes:
        recipe: Name of its recipe.
        network: With the averaged weights of the last checkpoint, in evaluation mode.
        provenance: How the weights came to be; holds no path.
    """

    recipe: str
    network: nn.Module
    provenance: Provenance

    def check_learnt(self, digest: str, data: Path) -> None:
        """See that data are what the run learnt from.

        Args:
            digest: Of the data.
            data: Their name, for the message.

        Raises:
            InputError: They are other ones.
        """
        if digest not in {one.digest for one in self.provenance.datasets}:
            raise InputError(f"{data}: is not what this run learnt from; give that")

    @property
    def perceptual(self) -> bool:
        """Whether it was trained to look real rather than to be near."""
        return self.recipe in _PERCEPTUAL


def read_run(folder: Path) -> Run:
    """Read a run.

    Raises:
        InputError: The folder is no run, lacks a checkpoint or does not fit its recipe.
    """
    recipe, settings = _read_config(folder)
    weights = load_ema(folder)
    network = _build(folder, recipe, settings)
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise InputError(
            f"{folder}: its checkpoint does not fit its configuration ({reason}); "
            "train again, or export with the version of Anamorph that trained it"
        ) from None
    return Run(
        recipe=recipe,
        network=network.eval(),
        provenance=_read_provenance(folder),
    )


def read_config(folder: Path, data: Path) -> Any:
    """Return the configuration of a run of this family, as its recipe's ``Config``.

    Args:
        folder: Of the run.
        data: What it learnt from; runs keep no path.

    Raises:
        InputError: The folder is no run.
    """
    recipe, settings = _read_config(folder)
    return import_module(f"anamorph_training.recipes.{recipe}").Config(data=data, **settings)


def read_codes(folder: Path, *, steps: int) -> KnownCodes:
    """Read the codes that a run of an autoencoder or VAE kept.

    Args:
        folder: Of the run.
        steps: Of the checkpoint that they must belong to.

    Raises:
        InputError: There are none, they are damaged, or of another checkpoint.
    """
    file = folder / CODES_FILE
    try:
        with np.load(file, allow_pickle=False) as arrays:
            found = KnownCodes(arrays["mean"], arrays.get("log_variance"))
            step = int(arrays["step"])
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{file}: cannot be read ({error}); continue the run to its next checkpoint"
        ) from None
    if step != steps:
        raise InputError(
            f"{file}: is of step {step}, the checkpoint of step {steps}; continue the run to its "
            "next checkpoint"
        )
    return found


def read_held_pictures(folder: Path) -> list[NDArray[np.uint8]]:
    """Read the pictures that a run of this family kept aside: uint8 (height, width, 3) each.

    Raises:
        InputError: There are none.
    """
    files = sorted((folder / "holdout").glob("*.png"))
    if not files:
        raise InputError(
            f"{folder}: kept no held-out pictures, without which quality cannot be checked; "
            "continue its training"
        )
    return [decode(file) for file in files]


def read_learnt_pictures(folder: Path) -> list[NDArray[np.uint8]]:
    """Read some of the pictures that a run of this family learnt from: uint8 (h, w, 3) each.

    Raises:
        InputError: There are none.
    """
    try:
        pixels = np.load(folder / LEARNT_FILE, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{folder / LEARNT_FILE}: cannot be read ({error}); train again with this version"
        ) from None
    return [np.repeat(one, 3 // len(one), axis=0).transpose(1, 2, 0) for one in pixels]


def _read_config(folder: Path) -> tuple[str, dict[str, Any]]:
    file = folder / "config.json"
    if not file.is_file():
        raise InputError(
            f"{folder}: is no training run (it has no config.json); "
            "give the folder that anamorph train wrote with --out"
        )
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        recipe, settings = found["recipe"], dict(found["config"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{file}: is damaged ({error}); train again") from None
    if not isinstance(recipe, str) or not re.fullmatch(r"[a-z][a-z0-9_]*", recipe):
        raise InputError(f"{file}: recipe {recipe!r} is no name; see: anamorph train --help")
    return recipe, settings


def _build(folder: Path, recipe: str, settings: dict[str, Any]) -> nn.Module:
    try:
        return rebuild(recipe, settings)
    except ModuleNotFoundError as error:
        if error.name != f"anamorph_training.recipes.{recipe}":
            raise
        raise InputError(
            f"{folder}: recipe {recipe!r} is unknown here; see: anamorph train --help"
        ) from None
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{folder}: its configuration does not fit recipe {recipe!r} ({error}); "
            "export with the version of Anamorph that trained it"
        ) from None


def _read_provenance(folder: Path) -> Provenance:
    file = folder / "provenance.json"
    try:
        return msgspec.json.decode(file.read_bytes(), type=Provenance)
    except (OSError, msgspec.DecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"{file}: cannot be read ({reason}); continue the run to its next checkpoint"
        ) from None
