"""Finished tiles of a large picture wait on disk until the saver reads them row by row."""

import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np

from anamorph.errors import OutputError
from anamorph.new_file import cannot_write, hidden_sibling
from anamorph.vips import BAND_FORMATS, IN_MEMORY_BYTES, from_array, interpretation, load_vips

_SLAB_BYTES: Final = 16 * 2**20


class Spool:
    """Takes tiles of a picture in any order; in memory if small, else in a file beside the target.

    Use it in a ``with`` statement: the file goes at its end, however that comes.
    """

    def __init__(self, target: Path, shape: tuple[int, int, int], dtype: str) -> None:
        self._target = target
        self._shape = shape
        self._dtype = np.dtype(dtype)
        self._array: np.ndarray | None = None
        self._path: Path | None = None
        self._descriptor = -1

    @property
    def size(self) -> int:
        """Bytes of all pixels."""
        height, width, bands = self._shape
        return height * width * bands * self._dtype.itemsize

    def __enter__(self) -> Self:
        on_disk = self.size > IN_MEMORY_BYTES
        self._check_free((2 if on_disk else 1) * self.size)
        if not on_disk:
            self._array = np.empty(self._shape, self._dtype)
            return self
        self._path = hidden_sibling(self._target, ".spool")
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        try:
            self._descriptor = os.open(self._path, flags, 0o600)
            os.truncate(self._descriptor, self.size)
        except OSError as error:
            self._remove()
            raise cannot_write(self._target, error) from None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._remove()

    def _remove(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        if self._path:
            self._path.unlink(missing_ok=True)

    def _check_free(self, needed: int) -> None:
        free = shutil.disk_usage(self._target.parent).free
        if free < needed:
            raise OutputError(
                f"{self._target}: may need {needed / 1e6:.0f} MB while it is written, but the "
                f"disk has {free / 1e6:.0f} MB left; free some space"
            )

    def put(self, top: int, left: int, tile: np.ndarray) -> None:
        """Take over pixels (height, width, bands) whose upper left corner belongs there.

        Raises:
            OutputError: The disk is full.
        """
        height, width, bands = tile.shape
        if self._array is not None:
            self._array[top : top + height, left : left + width] = tile
            return
        pixel = bands * self._dtype.itemsize
        try:
            for row in range(height):
                start = ((top + row) * self._shape[1] + left) * pixel
                os.lseek(self._descriptor, start, os.SEEK_SET)
                _write_all(self._descriptor, np.ascontiguousarray(tile[row]).data.cast("B"))
        except OSError as error:
            raise cannot_write(self._target, error) from None

    def image(self) -> Any:
        """Return a libvips image of what was put, to be used within the ``with`` statement."""
        if self._array is not None:
            return from_array(self._array)
        assert self._path
        height, width, bands = self._shape
        line = width * bands * self._dtype.itemsize
        step = max(1, _SLAB_BYTES // line)
        # libvips maps a raw file whole and keeps what it has read resident, so it gets the file in
        # slabs, each of which it lets go after use: 43 MB instead of 584 MB at 192 megapixels.
        slabs = [
            load_vips().Image.rawload(
                os.fsencode(self._path),
                width,
                min(step, height - top),
                bands,
                offset=top * line,
                format=BAND_FORMATS[self._dtype.name],
            )
            for top in range(0, height, step)
        ]
        image = load_vips().Image.arrayjoin(slabs, across=1).crop(0, 0, width, height)
        return image.copy(interpretation=interpretation(bands, self._dtype.name))


def _write_all(descriptor: int, data: memoryview) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
