"""Find what is not normal in a picture."""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from anamorph.errors import InputError, ModelFileError
from anamorph.loaded_model import LoadedModel
from anamorph.picture import Picture
from anamorph.picture_planes import to_planes

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

    from anamorph.session import Session

# From nothing through blue, red and yellow to white, evenly spaced.
_COLOURS: Final = np.array(
    [(0, 0, 0), (60, 20, 130), (200, 40, 80), (250, 170, 30), (255, 255, 220)]
)
_FULL: Final = 2.0  # times the threshold at which the colour is the last one
_ROWS: Final = 64  # drawn at once, so that a large picture is not held as floats


def _finite(found: dict[str, NDArray[np.float32]]) -> bool:
    return all(bool(np.isfinite(value).all()) for value in found.values())


@dataclass(frozen=True, eq=False)
class Detection:
    """What was found in one picture.

    Attributes:
        picture: Red, green and blue, uint8 (height, width, 3), as it was judged.
        heat: How far each pixel is from normal, float32 (height, width), at least 0.
        score: How far the picture is from normal.
        threshold: Scores above it are not normal.
        heat_threshold: Heat above it is not normal.
        model: Name and version of the model.
    """

    picture: NDArray[np.uint8]
    heat: NDArray[np.float32]
    score: float
    threshold: float
    heat_threshold: float
    model: str

    @property
    def anomalous(self) -> bool:
        """Whether the picture as a whole is not normal."""
        return self.score > self.threshold

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Which pixels are not normal: bool (height, width)."""
        mask: NDArray[np.bool_] = self.heat > self.heat_threshold
        return mask

    def mask_picture(self) -> Picture:
        """Return the mask as a grey picture: white where it is not normal."""
        return Picture(self.mask.astype(np.uint8) * np.uint8(255), origin=self.model)

    def heat_picture(self) -> Picture:
        """Return the heat in colours over the picture; at the threshold it is red."""
        heated = np.empty_like(self.picture)
        for top in range(0, len(heated), _ROWS):
            rows = slice(top, top + _ROWS)
            share = np.clip(self.heat[rows] / max(self.heat_threshold, 1e-9) / _FULL, 0, 1)
            heated[rows] = _tint(self.picture[rows], share)
        return Picture(heated, origin=self.model)


def _tint(picture: NDArray[np.uint8], share: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Return a picture in grey, (h, w, 3), under the colours of heat from 0 to 1, (h, w)."""
    place = share * (len(_COLOURS) - 1)
    low = np.minimum(place.astype(int), len(_COLOURS) - 2)
    part = (place - low)[..., None]
    colour = _COLOURS[low] * (1 - part) + _COLOURS[low + 1] * part
    cover = np.clip(2 * share, 0, 0.8)[..., None]
    tinted = picture.mean(2, keepdims=True) * (1 - cover) + colour * cover
    pixels: NDArray[np.uint8] = np.rint(tinted).astype(np.uint8)
    return pixels


class Detector(LoadedModel):
    """Tells what is normal from what is not; made by ``anamorph.load``.

    Args:
        session: What runs the graph.
    """

    def __init__(self, session: "Session") -> None:
        super().__init__(session)
        self._graph = session

    def __repr__(self) -> str:
        return f"Detector({self.origin}, {self.provider})"

    @property
    def threshold(self) -> float:
        """Score above which a picture is not normal, by the card."""
        return self.card.calibrations["score"].threshold

    @property
    def heat_threshold(self) -> float:
        """Heat above which a pixel is not normal, by the card."""
        return self.card.calibrations["heat"].threshold

    def detect(
        self,
        picture: "str | os.PathLike[str] | bytes | Picture | PillowImage | np.ndarray",
        *,
        threshold: float | None = None,
        heat_threshold: float | None = None,
    ) -> Detection:
        """Find what is not normal in a picture.

        Args:
            picture: Path or content of a file, a Picture, a Pillow image, or an array as
                ``Picture.pixels`` describes it.
            threshold: Of the score; the card's by default.
            heat_threshold: Of the heat; the card's by default.

        Raises:
            InputError: The picture or a threshold cannot be used.
        """
        for value in (threshold, heat_threshold):
            if value is not None and not np.isfinite(value):
                raise InputError(f"threshold {value}: give a finite number")
        planes = to_planes(picture)
        found = self._graph.run_named({"picture": planes})
        shapes = (found["heat"].shape, found["score"].shape)
        if shapes != ((1, *planes.shape[2:]), (1,)) or not _finite(found):
            raise ModelFileError(
                f"{self.origin}: made heat and score of {shapes} or values that are no numbers; "
                "check it with: anamorph check"
            )
        return Detection(
            picture=np.rint(planes[0].transpose(1, 2, 0) * 255).astype(np.uint8),
            heat=found["heat"][0],
            score=float(found["score"][0]),
            threshold=self.threshold if threshold is None else threshold,
            heat_threshold=self.heat_threshold if heat_threshold is None else heat_threshold,
            model=self.origin,
        )
