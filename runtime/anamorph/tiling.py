"""Exact tiling: which input pixels each tile reads, and which of its results are kept.

A network with finite context gives the same output for a position whether it sees the whole
picture or a window that holds all that the position depends on. Windows end either at the
picture's border, where the graph's own padding must act, or a full context away from what is kept.
"""

from dataclasses import dataclass
from itertools import pairwise
from math import lcm

from anamorph.errors import InputError


@dataclass(frozen=True)
class Span:
    """One tile along one axis, in input pixels, stops exclusive.

    Attributes:
        read_start: First pixel that is read.
        read_stop: End of what is read.
        keep_start: First pixel whose output is kept.
        keep_stop: End of what is kept.
    """

    read_start: int
    read_stop: int
    keep_start: int
    keep_stop: int

    @property
    def size(self) -> int:
        """Pixels that are read."""
        return self.read_stop - self.read_start


@dataclass(frozen=True)
class Geometry:
    """What a model asks of its tiles along either axis, in input pixels.

    Attributes:
        before: Pixels left of (above) its own position that an output depends on.
        after: Pixels to the right (below).
        alignment: Windows start at multiples of this.
        multiple: Windows are multiples of this long.
        minimum: Windows are at least this long.
    """

    before: int
    after: int
    alignment: int = 1
    multiple: int = 1
    minimum: int = 1

    def padded(self, length: int) -> int:
        """Return the least length, from ``length`` on, that the model takes."""
        return _round_up(max(length, self.minimum), self.multiple)

    @property
    def step(self) -> int:
        """Cores are multiples of this long."""
        return lcm(self.alignment, self.multiple)

    @property
    def least_window(self) -> int:
        """Length of the shortest window that always holds a core and its context."""
        step = self.step
        core = _round_up(self.before, step) + step + _round_up(self.after, self.multiple)
        return max(core, self.minimum + step - 1)


def _round_up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple


def spans(length: int, *, window: int, geometry: Geometry) -> tuple[Span, ...]:
    """Divide an axis into tiles with cores of nearly equal length.

    Args:
        length: Pixels along the axis, as ``geometry.padded`` returns it.
        window: Greatest number of pixels that one tile may read.
        geometry: What the model asks.

    Returns:
        One span where all fits into one window, else as few as can be. What they keep covers
        the axis without gap or overlap.

    Raises:
        InputError: The window is too short to hold a core and its context.
    """
    if length <= window:
        return (Span(0, length, 0, length),)
    if window < geometry.least_window:
        raise InputError(
            f"tile of {window} pixels: this model needs at least {geometry.least_window}; "
            "give a larger tile"
        )
    step = geometry.step
    units = -(-length // step)
    core = window - _round_up(geometry.before, step) - _round_up(geometry.after, geometry.multiple)
    enough = -(-units // (core // step))
    # The first and the last tile need context on one side only, which may save one.
    for count in sorted({2, max(2, enough - 1), enough}):
        cuts = [min(index * units // count * step, length) for index in range(count)] + [length]
        found = tuple(span(start, stop, length, geometry) for start, stop in pairwise(cuts))
        if max(one.size for one in found) <= window:
            return found
    raise AssertionError("enough tiles are enough")


def span(start: int, stop: int, length: int, geometry: Geometry) -> Span:
    """Return what has to be read to keep a stretch of an axis.

    Args:
        start: First pixel whose output is kept, at a multiple of ``geometry.step``.
        stop: End of what is kept.
        length: Pixels along the axis, as ``geometry.padded`` returns it.
        geometry: What the model asks.
    """
    step = geometry.step
    read_start = max(0, start - _round_up(geometry.before, step))
    read_stop = min(length, _round_up(stop + geometry.after, geometry.multiple))
    short = geometry.minimum - (read_stop - read_start)
    if short > 0:
        read_start = max(0, read_start - _round_up(short, step))
        read_stop = max(
            read_stop, min(length, read_start + _round_up(geometry.minimum, geometry.multiple))
        )
    return Span(read_start, read_stop, start, stop)
