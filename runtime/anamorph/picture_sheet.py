"""Several pictures as one: a sheet of rows, or an animation."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from anamorph.errors import OutputError
from anamorph.new_file import check_target, replacing
from anamorph.picture import Picture
from anamorph.vips import from_array, interruptibly, load_vips, one_line

ANIMATED: Final = (".gif", ".webp")
_GAP: Final = 2  # pixels between pictures
_LEAST_SIDE: Final = 96  # pixels: smaller pictures are enlarged by whole numbers until they have it


def make_sheet(rows: Sequence[Sequence[Picture]]) -> Picture:
    """Return one RGB picture, uint8, of pictures in rows, on white.

    Small ones are enlarged by repeating their pixels.

    Args:
        rows: At least one picture; all of one size, those of a short row to the left.
    """
    tiles = [[_enlarged(picture) for picture in row] for row in rows]
    height, width = tiles[0][0].shape[:2]
    columns = max(len(row) for row in tiles)
    size = (len(rows) * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP, 3)
    sheet = np.full(size, 255, np.uint8)
    for number, row in enumerate(tiles):
        top = number * (height + _GAP)
        for place, tile in enumerate(row):
            left = place * (width + _GAP)
            sheet[top : top + height, left : left + width] = tile
    return Picture(sheet, origin=rows[0][0].origin)


def save_animation(
    frames: Sequence[Picture], target: Path, *, seconds: float, force: bool = False
) -> None:
    """Write pictures of one size as an animated GIF or WebP that goes on for ever.

    Args:
        frames: At least one.
        target: File to write; its suffix says which.
        seconds: How long all of them take together.
        force: Replace a file that exists.

    Raises:
        OutputError: The file exists, has another suffix, or the disk refuses.
    """
    form = target.suffix.lower()
    if form not in ANIMATED:
        raise OutputError(f"{target}: animations are GIF or WebP; give a name that ends in .gif")
    check_target(target, force=force)
    vips = load_vips()
    tall = np.concatenate([_enlarged(picture) for picture in frames])

    def save(descriptor: int) -> None:
        image = from_array(tall).copy(interpretation="srgb")
        delay = max(20, round(1000 * seconds / len(frames)))  # ms; browsers ignore shorter ones
        integers = vips.GValue.array_int_type
        image.set_type(vips.GValue.gint_type, "page-height", len(tall) // len(frames))
        image.set_type(integers, "delay", [delay] * len(frames))
        image.set_type(vips.GValue.gint_type, "loop", 0)
        options: dict[str, Any] = {} if form == ".gif" else {"lossless": True}
        sink = vips.Target.new_to_descriptor(descriptor)
        vips.Operation.call(f"{form[1:]}save_target", image, sink, **options)

    with replacing(target, force=force) as descriptor:
        try:
            interruptibly(partial(save, descriptor))
        except vips.Error as error:
            raise OutputError(
                f"{target}: cannot be written ({one_line(error)}); check free space"
            ) from None


def _enlarged(picture: Picture) -> np.ndarray:
    """Return uint8 (height, width, 3), at least 96 pixels a side."""
    bands = picture.bands
    zoom = max(1, -(-_LEAST_SIDE // min(bands.shape[:2])))
    large = bands.repeat(zoom, axis=0).repeat(zoom, axis=1)
    return np.ascontiguousarray(np.broadcast_to(large, (*large.shape[:2], 3)))
