"""Small seeded pictures, and a network in NumPy, for tests of the runtime."""

from dataclasses import dataclass, field

import numpy as np

from anamorph.card import Card, Port

AXES = ("batch", "channel", "height", "width")


def sample(
    height: int = 24, width: int = 30, bands: int = 3, dtype: str = "uint8", seed: int = 0
) -> np.ndarray:
    """Return a ramp with seeded noise, (height, width, bands), over the dtype's whole range."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(0.1, 0.9, width)[None, :, None] * np.linspace(0.4, 1, height)[:, None, None]
    values = np.clip(ramp + rng.normal(0, 0.05, (height, width, bands)), 0, 1)
    values[0, 0] = 0
    values[-1, -1] = 1
    if dtype == "float32":
        return values.astype(np.float32)
    return np.round(values * np.iinfo(dtype).max).astype(dtype)


def card(**fields: object) -> Card:
    """Return the card of an upscaler."""
    port = Port(name="picture", meaning="picture", axes=AXES)
    known: dict[str, object] = {"scale": 2, "context_before": 0, "context_after": 0}
    return Card(
        name="fake-x2",
        task="upscale",
        inputs=(port,),
        outputs=(port,),
        licence="CC0-1.0",
        **(known | fields),  # type: ignore[arg-type]
    )


@dataclass
class NearestSession:
    """Repeats pixels, and counts what it is asked."""

    card: Card = field(default_factory=card)
    device: str = "cpu"
    provider: str = "NumPy"
    shapes: list[tuple[int, ...]] = field(default_factory=list)

    def run(self, batch: np.ndarray) -> np.ndarray:
        """See ``anamorph.upscaling.Session``."""
        assert batch.dtype == np.float32
        assert batch.shape[1] == 3
        assert 0 <= batch.min() <= batch.max() <= 1
        self.shapes.append(batch.shape)
        return batch.repeat(self.card.scale, 2).repeat(self.card.scale, 3)


class LopsidedSession(NearestSession):
    """Weighs ``context_before`` pixels before and ``context_after`` behind, zero outside."""

    def run(self, batch: np.ndarray) -> np.ndarray:
        """See ``anamorph.upscaling.Session``."""
        before, after = self.card.context_before or 0, self.card.context_after or 0
        weights = np.random.default_rng(7).uniform(0.1, 1, before + after + 1).astype(np.float32)
        weights /= weights.sum()
        for axis in (2, 3):
            margins = [(before, after) if axis == this else (0, 0) for this in range(4)]
            padded = np.pad(batch, margins)
            length = batch.shape[axis]
            batch = sum(
                weight * padded.take(range(at, at + length), axis)
                for at, weight in enumerate(weights)
            )
        return super().run(batch)
