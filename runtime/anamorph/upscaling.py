"""From pixels to pixels through a network: values, channels, transparency, tiles."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Final, Protocol

import numpy as np

from anamorph.card import Card
from anamorph.errors import InputError, ModelFileError
from anamorph.pixels import GREATEST, Pixels
from anamorph.tiling import Geometry, Span, spans

# Side of a tile in input pixels unless the caller says otherwise: near the fastest on a CPU, where
# larger tiles leave its caches, and small enough for a few hundred megabytes in all.
AUTO_TILE: Final = 256
# A network that depends on the whole picture takes no more: its activations would not fit.
MAX_WHOLE_PIXELS: Final = 2**22
_ROWS_AT_ONCE: Final = 64
# ITU-R BT.601, the weights of luma.
_LUMA: Final = np.array([0.299, 0.587, 0.114], np.float32)


class Session(Protocol):
    """What runs a graph: float32 (n, 3, h, w) in, float32 (n, 3, h * scale, w * scale) out."""

    @property
    def card(self) -> Card:
        """The model's card."""

    @property
    def device(self) -> str:
        """Device that it runs on, such as ``cpu``."""

    @property
    def provider(self) -> str:
        """ONNX Runtime's name of what runs it."""

    def run(self, batch: np.ndarray) -> np.ndarray:
        """Run the graph; values are in [0, 1]."""


class Sink(Protocol):
    """Where finished tiles go."""

    def put(self, top: int, left: int, tile: np.ndarray) -> None:
        """Take over pixels (height, width, bands) whose upper left corner belongs there."""


class ArraySink:
    """Collects tiles in one array (height, width, bands)."""

    def __init__(self, shape: tuple[int, int, int], dtype: str) -> None:
        self.array = np.empty(shape, dtype)

    def put(self, top: int, left: int, tile: np.ndarray) -> None:
        """See ``Sink``."""
        if tile.shape == self.array.shape:
            self.array = tile  # all of it: no copy
        else:
            self.array[top : top + tile.shape[0], left : left + tile.shape[1]] = tile


@dataclass(frozen=True)
class Plan:
    """How one picture is cut.

    Attributes:
        rows: Tiles from top to bottom.
        columns: Tiles from left to right.
    """

    rows: tuple[Span, ...]
    columns: tuple[Span, ...]

    @property
    def count(self) -> int:
        """Number of tiles."""
        return len(self.rows) * len(self.columns)


def plan_tiles(card: Card, *, height: int, width: int, alpha: bool, tile: int | None) -> Plan:
    """Decide how a picture is cut.

    Args:
        card: The model's card.
        height: Of the picture in pixels.
        width: Of the picture in pixels.
        alpha: Whether the picture has transparency.
        tile: Greatest side of a tile in input pixels, context included; None chooses.

    Raises:
        InputError: The tile is too small for the model's context, or the model cannot be tiled
            and the picture is too large to run whole.
    """
    if tile is not None and tile < 1:
        raise InputError(f"tile {tile}: must be at least 1 pixel")
    whole = card.context_before is None or card.context_after is None
    if whole and height * width > MAX_WHOLE_PIXELS:
        raise InputError(
            f"{width} x {height} pixels: {card.name} depends on the whole picture and takes at "
            f"most {MAX_WHOLE_PIXELS / 1e6:.1f} megapixels; reduce it, or use a model that tiles"
        )
    # Transparency is held between that of neighbours, which is context of its own.
    margin = 1 if alpha else 0
    geometry = Geometry(
        before=max(card.context_before or 0, margin),
        after=max(card.context_after or 0, margin),
        alignment=card.alignment,
        multiple=card.size_multiple,
        minimum=card.minimum_size,
    )
    window = tile or max(AUTO_TILE, geometry.least_window)

    def cut(length: int) -> tuple[Span, ...]:
        padded = geometry.padded(length)
        return spans(padded, window=padded if whole else window, geometry=geometry)

    return Plan(cut(height), cut(width))


def upscale_pixels(
    session: Session,
    pixels: Pixels,
    sink: Sink,
    plan: Plan,
    *,
    progress: Callable[[float], None] | None = None,
) -> None:
    """Run every tile of a picture and hand the results on, of the picture's dtype and bands.

    Tiles run one by one: batches of equal ones took longer on a CPU, and more memory
    (docs/RESULTS.md).

    Raises:
        ModelFileError: The graph returns another size than its card says.
    """
    scale = session.card.scale
    height, width, _ = pixels.shape
    for done, (row, column) in enumerate(product(plan.rows, plan.columns), start=1):
        tile = _upscale_tile(session, pixels, row, column)
        # What was padded to please the model goes.
        kept_rows = min(row.keep_stop, height) - row.keep_start
        kept_columns = min(column.keep_stop, width) - column.keep_start
        if kept_rows > 0 and kept_columns > 0:
            kept = tile[: kept_rows * scale, : kept_columns * scale]
            sink.put(row.keep_start * scale, column.keep_start * scale, kept)
        if progress:
            progress(done / plan.count)


def _upscale_tile(session: Session, pixels: Pixels, row: Span, column: Span) -> np.ndarray:
    """Return what is kept of one tile: (rows * scale, columns * scale, bands), finished."""
    height, width, bands = pixels.shape
    rows = slice(min(row.read_start, height - 1), min(row.read_stop, height))
    columns = slice(min(column.read_start, width - 1), min(column.read_stop, width))
    given = pixels.read(rows, columns)
    if bands in (2, 4) and not given[:, :, -1].all():
        given = pixels.read_spread(rows, columns)
    given = _pad(given, row.size, column.size)
    scale = session.card.scale
    keep = (
        slice((row.keep_start - row.read_start) * scale, (row.keep_stop - row.read_start) * scale),
        slice(
            (column.keep_start - column.read_start) * scale,
            (column.keep_stop - column.read_start) * scale,
        ),
    )
    colours = bands - 1 if bands in (2, 4) else bands
    result = _run(session, given[:, :, :colours])[:, keep[0], keep[1]]
    colour = quantise(_luma(result) if colours == 1 else result, pixels.dtype)
    if colours == bands:
        return colour
    alpha = quantise(_upscale_alpha(session, given[:, :, -1], keep), pixels.dtype)
    return np.concatenate([colour, alpha], axis=2)


def _pad(tile: np.ndarray, height: int, width: int) -> np.ndarray:
    """Repeat the last row and column until the tile has the size that the model takes."""
    missing = (height - tile.shape[0], width - tile.shape[1])
    if missing == (0, 0):
        return tile
    return np.pad(tile, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="edge")


def _run(session: Session, tile: np.ndarray) -> np.ndarray:
    """Run one tile (h, w, 1 or 3) of any dtype; return float32 (3, h * scale, w * scale)."""
    height, width, _ = tile.shape
    batch = np.empty((1, 3, height, width), np.float32)
    factor = np.float32(1 / GREATEST[tile.dtype.name])
    # One band is broadcast into three.
    np.multiply(tile.transpose(2, 0, 1), factor, out=batch[0], dtype=np.float32)
    result: np.ndarray = session.run(batch)
    scale = session.card.scale
    if result.shape != (1, 3, height * scale, width * scale):
        raise ModelFileError(
            f"{session.card.name}: returned {result.shape} for {batch.shape}, but its card says "
            f"scale {scale}; export the model again"
        )
    colours: np.ndarray = result[0]
    return colours


def _luma(colours: np.ndarray) -> np.ndarray:
    """Return float32 (1, h, w) of (3, h, w)."""
    return np.tensordot(_LUMA, colours, axes=1)[np.newaxis]


def _upscale_alpha(session: Session, alpha: np.ndarray, keep: tuple[slice, slice]) -> np.ndarray:
    """Upscale transparency (h, w) as grey, never beyond that of the eight neighbours.

    So what was opaque stays opaque, next to an edge too, where a network would ring, and where
    the picture's border is darkened by its zero padding.

    Returns:
        float32 (1, rows, columns) of what is kept.
    """
    scale = session.card.scale
    least, greatest = _over_neighbours(np.minimum, alpha), _over_neighbours(np.maximum, alpha)
    factor = np.float32(1 / GREATEST[alpha.dtype.name])
    if least.min() == greatest.max():
        height, width = (span.stop - span.start for span in keep)
        return np.full((1, height, width), alpha[0, 0] * factor, np.float32)
    result = _luma(_run(session, alpha[:, :, np.newaxis])[:, keep[0], keep[1]])
    bounds = (
        (bound * factor).repeat(scale, axis=0).repeat(scale, axis=1)[keep]
        for bound in (least, greatest)
    )
    return np.clip(result, *bounds)


def _over_neighbours(choose: np.ufunc, values: np.ndarray) -> np.ndarray:
    """Return the least or the greatest of each value and its eight neighbours."""
    for axis in (0, 1):
        padded = np.pad(values, [(1, 1) if axis == this else (0, 0) for this in (0, 1)], "edge")
        length = values.shape[axis]
        shifted = [padded.take(range(at, at + length), axis) for at in range(3)]
        values = choose(choose(shifted[0], shifted[1]), shifted[2])
    return values


def quantise(values: np.ndarray, dtype: str) -> np.ndarray:
    """Round half up from [0, 1], and move channels last.

    Args:
        values: float32 (channels, h, w); what lies outside [0, 1] is clipped, NaN becomes 0.
        dtype: ``uint8``, ``uint16`` or ``float32``.

    Returns:
        (h, w, channels) of the dtype.
    """
    channels, height, width = values.shape
    greatest = np.float32(GREATEST[dtype])
    result = np.empty((height, width, channels), dtype)
    # A few rows at a time stay in the cache.
    scaled = np.empty((_ROWS_AT_ONCE, width), np.float32)
    rounded = np.empty((_ROWS_AT_ONCE, width), dtype)
    for top in range(0, height, _ROWS_AT_ONCE):
        rows = slice(0, min(_ROWS_AT_ONCE, height - top))
        for channel in range(channels):
            block = scaled[rows]
            given = values[channel, top : top + _ROWS_AT_ONCE]
            np.multiply(given, greatest, out=block)
            # To look is quicker than to clip, which is seldom needed; NaN compares as false.
            if not (given.min() >= 0 and given.max() <= 1):
                # Unlike clip, these two choose the number where the other is NaN.
                np.fmax(block, np.float32(0), out=block)
                np.fmin(block, greatest, out=block)
            if dtype != "float32":
                block += np.float32(0.5)
            rounded[rows] = block
            result[top : top + _ROWS_AT_ONCE, :, channel] = rounded[rows]
    return result
