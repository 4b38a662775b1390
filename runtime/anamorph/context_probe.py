"""How far an output of a model really looks, found by disturbing single inputs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Run = Callable[[Floats], Floats]

# An activation may swallow a NaN (ReLU and Clip of ONNX Runtime return a number), so large values
# are tried as well, and an output counts as reached when any bit of it differs.
_DISTURBANCES: Final = (np.nan, 1e4, -1e4)
_RESIDUES: Final = 8  # probes lie at each residue of this, so that blocks cannot hide any


@dataclass(frozen=True)
class Context:
    """How many inputs an output depends on, beyond its own position.

    Attributes:
        before: To the left and above, or earlier.
        after: To the right and below, or later.
    """

    before: int
    after: int


def probe_context(run: Run, *, scale: int, size: int, seed: int = 0) -> Context:
    """Measure the context of an upscaler, the greater of both axes.

    Probe on the CPU: the Winograd convolutions of a GPU spread a NaN within their own blocks.

    Args:
        run: The model: float32 (batch, 3, size, size) in [0, 1] to
            (batch, 3, scale * size, scale * size).
        scale: Output pixels per input pixel.
        size: Side of the picture that is probed, in input pixels; context is found up to about
            half of it.
        seed: Of the picture.

    Returns:
        What was observed, in input pixels; a lower bound of the true context.
    """
    rng = np.random.default_rng(seed)
    count = min(_RESIDUES, size)
    picture = rng.random((1, 3, size, size), np.float32)
    batch = np.repeat(picture, count, axis=0)  # (count, 3, size, size)
    baseline = run(batch)
    first = (size - count) // 2
    rows = [first + index for index in range(count)]
    columns = [first + (5 * index + 3) % count for index in range(count)]
    before = after = 0
    for disturbance in _DISTURBANCES:
        disturbed = batch.copy()
        for index, (row, column) in enumerate(zip(rows, columns, strict=True)):
            disturbed[index, :, row, column] = disturbance
        reached = run(disturbed).view(np.uint32) != baseline.view(np.uint32)
        for axis, positions in ((2, rows), (3, columns)):
            lines = reached.any(axis=(1, 5 - axis))  # (count, scale * size)
            for line, position in zip(lines, positions, strict=True):
                outputs = np.flatnonzero(line) // scale
                if outputs.size:
                    before = max(before, int(outputs[-1]) - position)
                    after = max(after, position - int(outputs[0]))
    return Context(before, after)


def probe_sequence(run: Run, given: Floats, *, rate: int, positions: Sequence[int]) -> Context:
    """Measure the context of a model along its last axis, that of time.

    Args:
        run: The model: float32 (batch, ..., steps) to (batch, rate * steps).
        given: float32 (..., steps), an input without a batch axis; context is found up to the
            distance of a position from its ends.
        rate: Outputs per step.
        positions: Steps that are disturbed, one at a time.

    Returns:
        What was observed, in steps; a lower bound of the true context.
    """
    baseline = run(given[np.newaxis])
    before = after = 0
    for position, disturbance in product(positions, _DISTURBANCES):
        disturbed = given.copy()
        disturbed[..., position] = disturbance
        reached = run(disturbed[np.newaxis]).view(np.uint32) != baseline.view(np.uint32)
        outputs = np.flatnonzero(reached[0]) // rate
        if outputs.size:
            before = max(before, int(outputs[-1]) - position)
            after = max(after, position - int(outputs[0]))
    return Context(before, after)
