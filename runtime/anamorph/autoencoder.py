"""Turn pictures into codes of a few numbers and back, and see what lies between."""

import os
import zipfile
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anamorph.card import Latent
from anamorph.errors import InputError
from anamorph.loaded_model import LoadedModel
from anamorph.picture import Picture
from anamorph.picture_planes import to_planes

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

    from anamorph.session import Session

    AnyPicture = str | os.PathLike[str] | bytes | Picture | PillowImage | np.ndarray

Codes = NDArray[np.float32]

_AT_ONCE: Final = 64  # codes that are decoded in one run
_UNUSED: Final = 0.05  # deviation below which a latent of a VAE says nothing


class Autoencoder(LoadedModel):
    """An encoder and a decoder; made by ``anamorph.load``.

    Args:
        encoder: Runs the encoder's graph.
        decoder: Runs the decoder's graph, of the same family.
    """

    def __init__(self, encoder: "Session", decoder: "Session") -> None:
        super().__init__(encoder)
        self._encoder = encoder
        self._decoder = decoder

    def __repr__(self) -> str:
        return f"Autoencoder({self.origin}, {self.latent_width} latents, {self.provider})"

    @property
    def latent_width(self) -> int:
        """Numbers in a code."""
        return self.card.latent_width

    @property
    def latents(self) -> tuple[Latent, ...]:
        """What each number of a code does over the data that it was learnt from."""
        return self.card.latents

    def active(self) -> list[int]:
        """Return the numbers of the latents that say something, those that say most first."""
        told = [(-one.divergence, -one.deviation, i) for i, one in enumerate(self.latents)]
        kept = [i for *_, i in sorted(told) if self.latents[i].deviation > _UNUSED]
        return kept or list(range(self.latent_width))

    def encode(self, picture: "AnyPicture") -> Codes:
        """Return the code of a picture: of a VAE, the mean of its posterior.

        Args:
            picture: Path or content of a file, a Picture, a Pillow image, or an array as
                ``Picture.pixels`` describes it. It is brought to the size that the model was
                trained on.

        Returns:
            float32 (latent,).

        Raises:
            InputError: The picture cannot be used.
        """
        return self.examine(picture)["code"]

    def examine(self, picture: "AnyPicture") -> dict[str, Codes]:
        """Return all that the encoder says of a picture.

        Returns:
            ``code``, float32 (latent,); of a VAE also ``deviation`` (latent,), the standard
            deviation of its posterior; of a classifier also ``chances`` (class,).

        Raises:
            InputError: The picture cannot be used.
        """
        found = self._encoder.run_named({"picture": to_planes(picture)})
        return {name: value[0] for name, value in found.items()}

    def encode_planes(self, planes: NDArray[np.float32]) -> Codes:
        """Return the codes of many pictures of one size at once.

        Args:
            planes: float32 (n, 3, height, width), RGB in [0, 1].

        Returns:
            float32 (n, latent).
        """
        return self._encoder.run_named({"picture": planes})["code"]

    def decode(self, codes: ArrayLike) -> list[Picture]:
        """Return the pictures that codes stand for.

        Args:
            codes: Floats (latent,) or (n, latent).

        Returns:
            RGB pictures, uint8, of the size that the model was trained on.

        Raises:
            InputError: They are no such codes.
        """
        rows = self.checked(codes)
        pictures = []
        for first in range(0, len(rows), _AT_ONCE):
            planes = self._decoder.run_named({"code": rows[first : first + _AT_ONCE]})["picture"]
            pixels = np.rint(np.clip(planes, 0, 1) * 255).astype(np.uint8).transpose(0, 2, 3, 1)
            pictures += [Picture(one, origin=self.origin) for one in pixels]
        return pictures

    def reconstruct(self, picture: "AnyPicture") -> Picture:
        """Return the picture that is made of a picture's code.

        Raises:
            InputError: The picture cannot be used.
        """
        return self.decode(self.encode(picture))[0]

    def traverse(
        self, code: ArrayLike, dim: int, *, low: float = -3.0, high: float = 3.0, steps: int = 9
    ) -> list[Picture]:
        """Return pictures in which one latent moves and the others are held.

        Args:
            code: Floats (latent,), where the others are held.
            dim: Number of the latent that moves, from 0.
            low: Where it begins; of an autoencoder without a prior, in standard deviations of the
                latent from its mean.
            high: Where it ends.
            steps: Number of pictures.

        Raises:
            InputError: There is no such latent, or no such code.
        """
        if not 0 <= dim < self.latent_width:
            raise InputError(
                f"dim {dim}: {self.origin} has latents 0 to {self.latent_width - 1}; give one of "
                "them"
            )
        rows = np.repeat(self.checked(code)[:1], max(steps, 1), axis=0)
        rows[:, dim] = self._places(dim, np.linspace(low, high, max(steps, 1)))
        return self.decode(rows)

    def interpolate(self, first: ArrayLike, second: ArrayLike, *, steps: int = 9) -> list[Picture]:
        """Return pictures along the straight line from one code to another, both included.

        Args:
            first: Floats (latent,).
            second: Floats (latent,).
            steps: Number of pictures.

        Raises:
            InputError: They are no such codes.
        """
        share = np.linspace(0, 1, max(steps, 1), dtype=np.float32)[:, None]
        begin, end = self.checked(first)[:1], self.checked(second)[:1]
        return self.decode(begin + share * (end - begin))

    def sample(self, count: int, *, seed: int = 0) -> list[Picture]:
        """Draw codes from the prior, and return their pictures.

        Args:
            count: Number of pictures.
            seed: Of the codes.

        Raises:
            InputError: The model's codes follow no known distribution.
        """
        if self.card.prior != "normal":
            raise InputError(
                f"{self.origin}: its codes follow no known distribution and cannot be drawn; "
                "use a VAE"
            )
        generator = np.random.default_rng(seed)
        return self.decode(generator.standard_normal((count, self.latent_width), np.float32))

    def map(self, *, side: int = 15, reach: float = 2.5) -> list[list[Picture]]:
        """Return the pictures all over a latent space of two numbers, row by row.

        Args:
            side: Pictures along each axis.
            reach: Greatest value of each latent; the first grows to the right, the second upwards.

        Raises:
            InputError: The model's codes have more or fewer numbers than two.
        """
        if self.latent_width != 2:
            raise InputError(
                f"{self.origin}: its codes have {self.latent_width} numbers, a map shows two; use "
                "a model of two, or anamorph traverse"
            )
        places = np.linspace(-reach, reach, side)
        right, up = np.meshgrid(self._places(0, places), self._places(1, places)[::-1])
        pictures = self.decode(np.stack([right.ravel(), up.ravel()], axis=1))
        return [pictures[i : i + side] for i in range(0, len(pictures), side)]

    def middle(self) -> Codes:
        """Return the mean of all codes that were learnt from, float32 (latent,).

        Where the card tells none, that is the prior's mean, zeros.
        """
        if not self.latents:
            return np.zeros(self.latent_width, np.float32)
        return np.array([one.mean for one in self.latents], np.float32)

    def _places(self, dim: int, places: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return places in the units of a latent; without a prior they are in its deviations."""
        if self.card.prior or not self.latents:
            return places
        return self.latents[dim].mean + self.latents[dim].deviation * places

    def checked(self, codes: ArrayLike) -> Codes:
        """Return codes as float32 (n, latent).

        Raises:
            InputError: They are no codes of this model.
        """
        try:
            rows = np.atleast_2d(np.asarray(codes, np.float32))
        except (TypeError, ValueError, OverflowError):
            raise InputError("a code holds what is no number; give an array of floats") from None
        if rows.ndim != 2 or rows.shape[1] != self.latent_width or not len(rows):
            raise InputError(
                f"codes of shape {np.shape(codes)}: {self.origin} takes ({self.latent_width},) or "
                f"(n, {self.latent_width})"
            )
        if not np.isfinite(rows).all():
            raise InputError("a code holds NaN or infinity; give finite numbers")
        return rows


def load_codes(data: Any, origin: str) -> Codes:
    """Read codes from a ``.npy`` file: float32 (latent,) or (n, latent).

    Args:
        data: Path or open file.
        origin: Where they come from, for messages.

    Raises:
        InputError: It is damaged, or holds no numbers.
    """
    try:
        codes = np.load(data, allow_pickle=False)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{origin}: is no .npy file of codes ({error})") from None
    if not isinstance(codes, np.ndarray) or codes.dtype.kind not in "fiu":
        raise InputError(f"{origin}: holds no numbers; give what `anamorph reconstruct` wrote")
    return codes.astype(np.float32)
