"""Sheets: rows of pictures side by side with a caption above each column."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anamorph.errors import OutputError
from anamorph.picture import Picture
from anamorph.vips import load_vips

_GAP: Final = 4  # pixels between pictures
_CAPTION: Final = 18  # pixels above each column


def check_sheet(path: Path) -> None:
    """See that a sheet can be written, before the work that it will show; make its folder.

    Raises:
        OutputError: The name is not that of a PNG, or its folder cannot be written.
    """
    if path.suffix.lower() != ".png":
        raise OutputError(f"{path}: a sheet is written as PNG; give a name that ends in .png")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = path.is_dir()
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise OutputError(
            f"{path}: its folder cannot be written ({error.strerror}); choose another place"
        ) from None
    if folder:
        raise OutputError(f"{path}: is a folder; give the name of a file in it")


def write_sheet(
    path: Path, columns: Sequence[str], rows: Sequence[Sequence[NDArray[np.uint8]]]
) -> None:
    """Write a PNG of pictures in rows.

    Args:
        path: File to write; its folder is made, and the file appears whole or not at all.
        columns: One caption per column.
        rows: uint8 (height, width, 3) pictures; those of a row share one height, those of a column
            are as wide as its widest.

    Raises:
        OutputError: The file cannot be written.
    """
    widths = [max(row[i].shape[1] for row in rows) for i in range(len(columns))]
    height = _CAPTION + sum(row[0].shape[0] + _GAP for row in rows)
    sheet = np.full((height, sum(widths) + _GAP * (len(columns) - 1), 3), 255, np.uint8)
    lefts = [sum(widths[:i]) + _GAP * i for i in range(len(columns))]
    for caption, left, width in zip(columns, lefts, widths, strict=True):
        text = _draw_caption(caption)[:_CAPTION, :width]
        sheet[: text.shape[0], left : left + text.shape[1]] = text[..., None]
    top = _CAPTION
    for row in rows:
        for picture, left in zip(row, lefts, strict=True):
            sheet[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
        top += row[0].shape[0] + _GAP
    path.parent.mkdir(parents=True, exist_ok=True)
    Picture(sheet).save(path, format="png", force=True)


def _draw_caption(text: str) -> NDArray[np.uint8]:
    """Return uint8 (height, width): black letters on white."""
    vips = load_vips()
    escaped = text.replace("&", "&amp;").replace("<", "&lt;")  # libvips reads markup
    try:
        mask: NDArray[np.uint8] = vips.Image.text(escaped, font="sans 9", dpi=96).numpy()
    except vips.Error:  # no fonts on this machine: the columns go without captions
        return np.full((1, 1), 255, np.uint8)
    return 255 - mask.reshape(mask.shape[:2])
