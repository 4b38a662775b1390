"""What the page and the routes do with autoencoders: codes, strips, sheets and a map."""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from anamorph.autoencoder import Autoencoder
from anamorph.errors import InputError
from anamorph.picture import Picture
from anamorph.picture_sheet import make_sheet, save_animation
from anamorph_ui.workshop import Workshop

TASK: Final = "reconstruct"
MOST_STEPS: Final = 64
MOST_PICTURES: Final = 256
MOST_KNOBS: Final = 16
MISSING: Final = (
    "No model of codes is installed here. `anamorph train vae --data my-pictures/ --out runs/mine` "
    "trains one, `anamorph export runs/mine -o mine.onnx` writes its two files, and `anamorph "
    "traverse -m mine.encoder.onnx` shows what its codes mean."
)

_MAP_SIDE: Final = 15
_MAP_REACH: Final = 2.5  # of each latent, from the middle
_REACH: Final = 3.0  # of a slider, likewise
_FARTHEST: Final = 1000.0  # deviations of an end of a way
_COLUMNS: Final = 16  # of a strip
_SECONDS: Final = 3.0  # of an animation


@dataclass(frozen=True)
class Knob:
    """A slider for one number of a code."""

    dim: int
    label: str
    low: float
    high: float
    step: float
    value: float

    @property
    def shown(self) -> float:
        """The value as a slider shows it, which has no room for all digits."""
        return round(self.value, max(0, 1 - round(math.log10(self.step))))


def load(workshop: Workshop, name: str) -> Autoencoder:
    """Return a model of codes.

    Raises:
        ModelNotFoundError: There is none of that name.
        InputError: It is for another task.
        ModelFileError: Its files are damaged, or do not belong together.
    """
    model: Autoencoder = workshop.shelf.load(name, task=TASK)
    return model


def open_bounded(workshop: Workshop, path: Path) -> Picture:
    """Return the picture of a file.

    Raises:
        InputError: It is refused, or has too many pixels.
    """
    return Picture.open(path, max_pixels=workshop.limits.pixels)


def tell(model: Autoencoder, found: dict[str, np.ndarray]) -> dict[str, Any]:
    """Return as JSON what the encoder said of a picture."""
    told: dict[str, Any] = {"model": model.origin, "code": found["code"].tolist()}
    if "deviation" in found:
        told["deviation"] = found["deviation"].tolist()
    if "chances" in found:
        told["chances"] = name_chances(model, found["chances"])
    return told


def name_chances(model: Autoencoder, chances: np.ndarray | None) -> dict[str, float]:
    """Return the chance of each class by its name; none where no class is told."""
    if chances is None:
        return {}
    return dict(zip(model.card.labels, chances.tolist(), strict=False))


def knobs(model: Autoencoder, code: Sequence[float]) -> list[Knob]:
    """Return sliders for the latents that say most, those that say most first."""
    return [_knob(model, dim, float(code[dim])) for dim in model.active()[:MOST_KNOBS]]


def _knob(model: Autoencoder, dim: int, value: float) -> Knob:
    low, high = (_place(model, dim, end) for end in (-_REACH, _REACH))
    if value < low or value > high:
        low, high = min(low, math.floor(value)), max(high, math.ceil(value))
    step = 10.0 ** math.floor(math.log10((high - low) / 300))
    return Knob(dim, name_latent(model, dim), low, high, step, value)


def name_latent(model: Autoencoder, dim: int) -> str:
    """Say which number of a code it is, and how much it tells or, for want of that, deviates."""
    if not model.latents:
        return f"Latent {dim}"
    latent = model.latents[dim]
    if latent.divergence > 0:
        return f"Latent {dim}: {latent.divergence:.2f} nats"
    return f"Latent {dim}: ± {latent.deviation:.2g}"


def _place(model: Autoencoder, dim: int, place: float) -> float:
    """Return a place in a latent's units; without a prior it is told in its deviations."""
    if model.card.prior or not model.latents:
        return place
    latent = model.latents[dim]
    return latent.mean + max(latent.deviation, 1e-6) * place


def draw_map(model: Autoencoder) -> Picture:
    """Return the whole latent space of a model of two numbers as one picture.

    Raises:
        InputError: Its codes have more or fewer numbers.
    """
    return make_sheet(model.map(side=_MAP_SIDE, reach=_MAP_REACH))


def find_in_map(model: Autoencoder, across: float, down: float) -> list[float]:
    """Return the code of a place in the map.

    Args:
        model: Of two numbers.
        across: Share of the width from the left, in [0, 1].
        down: Share of the height from the top, in [0, 1].
    """
    cells = (across * _MAP_SIDE - 0.5, (1 - down) * _MAP_SIDE - 0.5)
    half = (_MAP_SIDE - 1) / 2
    places = (_MAP_REACH * (cell - half) / half for cell in cells)
    return [_place(model, dim, place) for dim, place in enumerate(places)]


def check_way(steps: int, *ends: float) -> None:
    """Refuse a number of pictures along a way, and ends that no latent has.

    Raises:
        InputError: Says what is accepted.
    """
    for end in ends:
        if not -_FARTHEST <= end <= _FARTHEST:
            raise InputError(f"{end:g}: give a place from {-_FARTHEST:g} to {_FARTHEST:g}")
    if not 2 <= steps <= MOST_STEPS:
        raise InputError(f"steps {steps}: give 2 to {MOST_STEPS}")


def generate(model: Autoencoder, count: int, seed: int) -> Picture:
    """Return a sheet of pictures that are drawn from the prior.

    Raises:
        InputError: There are too many, the seed is none, or the model has no prior.
    """
    if not 1 <= count <= MOST_PICTURES:
        raise InputError(f"count {count}: give 1 to {MOST_PICTURES}")
    if not 0 <= seed < 2**63:
        raise InputError(f"seed {seed}: give 0 or more")
    return as_sheet(model.sample(count, seed=seed))


def as_sheet(pictures: Sequence[Picture]) -> Picture:
    """Return pictures in about as many rows as columns."""
    return make_sheet(_cut(pictures, math.ceil(len(pictures) ** 0.5)))


def as_strip(pictures: Sequence[Picture]) -> Picture:
    """Return pictures along a way in one row, or in several where there are many."""
    return make_sheet(_cut(pictures, _COLUMNS))


def save_strip(pictures: Sequence[Picture], target: Path) -> Path:
    """Write pictures along a way, as a sheet or as an animation there and back by the suffix."""
    if target.suffix == ".gif":
        save_animation([*pictures, *pictures[-2:0:-1]], target, seconds=_SECONDS)
    else:
        as_strip(pictures).save(target)
    return target


def as_npy(code: Sequence[float]) -> bytes:
    """Return a code as the content of a .npy file: float32 (latent,)."""
    buffer = io.BytesIO()
    np.save(buffer, np.array(code, np.float32), allow_pickle=False)
    return buffer.getvalue()


def _cut(items: Sequence[Picture], length: int) -> list[Sequence[Picture]]:
    return [items[i : i + length] for i in range(0, len(items), length)]
