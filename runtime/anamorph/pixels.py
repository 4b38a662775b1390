"""Where tiles are read from: an array in memory, or a picture file that libvips decodes."""

import re
from functools import cached_property
from typing import Any, Final, Protocol

import numpy as np

from anamorph.errors import InputError, OutputError
from anamorph.vips import DTYPES, from_array, interruptibly, load_vips, one_line, to_array

# Pixels over which the colours of visible pixels spread into hidden ones: standard deviation,
# and the share of the kernel's peak at which it is cut.
_SPREAD: Final = 4.0
_CUT: Final = 0.01
# What libvips says of the temporary file that decoded pixels wait in, by its name. Every error
# here begins with "unable to write to memory", which is where pixels are read to.
_UNWRITABLE: Final = re.compile(r'unable to write to "|write failed')

GREATEST: Final = {"uint8": 255, "uint16": 65535, "float32": 1}


class Pixels(Protocol):
    """A picture of which any rectangle can be read.

    Attributes:
        shape: Height, width and bands: grey, grey and alpha, RGB, or RGB and alpha.
        dtype: ``uint8``, ``uint16`` or ``float32``.
    """

    shape: tuple[int, int, int]
    dtype: str

    def read(self, rows: slice, columns: slice) -> np.ndarray:
        """Return pixels (height, width, bands) of the picture's own dtype, as they are."""

    def read_spread(self, rows: slice, columns: slice) -> np.ndarray:
        """Return the same with colours that do not depend on those under alpha 0."""


class ArrayPixels:
    """Pixels of an array (height, width, bands)."""

    def __init__(self, array: np.ndarray) -> None:
        self._array = array
        self.shape: tuple[int, int, int] = array.shape
        self.dtype = array.dtype.name

    @cached_property
    def _spread(self) -> Any:
        return spread_colours(from_array(self._array))

    def read(self, rows: slice, columns: slice) -> np.ndarray:
        """See ``Pixels``."""
        return self._array[rows, columns]

    def read_spread(self, rows: slice, columns: slice) -> np.ndarray:
        """See ``Pixels``."""
        return interruptibly(lambda: _crop(self._spread, rows, columns))


class FilePixels:
    """Pixels of a libvips image that was opened for random access."""

    def __init__(self, image: Any, name: str) -> None:
        self._image = image
        self._name = name
        self.shape = (image.height, image.width, image.bands)
        self.dtype: str = DTYPES[image.format]

    @cached_property
    def _spread(self) -> Any:
        return spread_colours(self._image)

    def read(self, rows: slice, columns: slice) -> np.ndarray:
        """See ``Pixels``.

        Raises:
            InputError: The file is damaged there.
            OutputError: The temporary folder cannot hold what was decoded.
        """
        return interruptibly(lambda: self._read(self._image, rows, columns))

    def read_spread(self, rows: slice, columns: slice) -> np.ndarray:
        """See ``Pixels``."""
        return interruptibly(lambda: self._read(self._spread, rows, columns))

    def without_opaque_alpha(self) -> "FilePixels":
        """Return the same pixels, without an alpha that is opaque everywhere."""
        return interruptibly(self._without_opaque_alpha)

    def _without_opaque_alpha(self) -> "FilePixels":
        last = self._image.bands - 1
        if last not in (1, 3) or self._image.extract_band(last).min() < GREATEST[self.dtype]:
            return self
        return FilePixels(self._image.extract_band(0, n=last), self._name)

    def _read(self, image: Any, rows: slice, columns: slice) -> np.ndarray:
        try:
            return _crop(image, rows, columns)
        except load_vips().Error as error:
            if _UNWRITABLE.search(str(error)):
                raise OutputError(
                    f"{self._name}: its decoded pixels do not go into the temporary folder "
                    f"({one_line(error)}); free some space there, or name another with TMPDIR"
                ) from None
            raise InputError(
                f"{self._name}: truncated or damaged ({one_line(error)}); "
                "get a whole copy of the file"
            ) from None


def _crop(image: Any, rows: slice, columns: slice) -> np.ndarray:
    height, width = rows.stop - rows.start, columns.stop - columns.start
    array: np.ndarray = to_array(image.crop(columns.start, rows.start, width, height))
    return array


def spread_colours(image: Any) -> Any:
    """Replace the colours of fully transparent pixels by those of visible pixels near by.

    What an editor left there may be anything, and would bleed into what is seen. The colours
    spread by normalised convolution; far from all that is visible they are mid-grey.

    Args:
        image: libvips image whose last band is alpha.
    """
    last = image.bands - 1
    colour, alpha = image.extract_band(0, n=last), image.extract_band(last)
    weight = alpha.cast("float")
    blurred = (
        (colour * weight)
        .cast("float")
        .bandjoin(weight)
        .gaussblur(_SPREAD, min_ampl=_CUT, precision="float")
    )
    reach = blurred.extract_band(last)
    spread = blurred.extract_band(0, n=last) / reach
    middle = GREATEST[DTYPES[image.format]] / 2
    spread = (reach > 0).ifthenelse(spread, middle)
    if image.format != "float":
        spread = (spread + 0.5).floor()
    filled = (alpha > 0).ifthenelse(colour, spread.cast(image.format))
    return filled.bandjoin(alpha)
