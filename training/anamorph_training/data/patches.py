"""Batches of aligned random crops, a pure function of (seed, step), drawn ahead by a thread.

Since nothing but the step decides what is in a batch, a resumed run sees the same data as an
unbroken one, and no loader state is ever saved.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from torch import Tensor

from anamorph_training.data.pairs import Pair
from anamorph_training.degradation import Degrade

T = TypeVar("T")


def dihedral(image: NDArray[np.uint8], turn: int) -> NDArray[np.uint8]:
    """Return one of the eight rotations and reflections of (height, width, channels)."""
    if turn & 1:
        image = image[::-1]
    if turn & 2:
        image = image[:, ::-1]
    return image.swapaxes(0, 1) if turn & 4 else image


def draw_batch(
    step: int,
    *,
    pairs: list[Pair],
    scale: int,
    batch: int,
    patch: int,
    seed: int,
    degrade: Degrade | None = None,
    margin: int = 0,
) -> tuple[Tensor, Tensor]:
    """Cut one batch of aligned crops, each turned at random.

    Args:
        step: Counted from 0; with the seed it decides everything.
        pairs: Pictures to choose from, each as often as it has pixels.
        scale: Pixels of a picture per pixel of its partner.
        batch: Number of crops.
        patch: Side of the low-resolution crop, in pixels.
        seed: Of the run.
        degrade: Makes each crop's partner afresh; None cuts it from the picture's own.
        margin: Pixels of the partner that are degraded on each side and then cut off.

    Returns:
        Low and high resolution: float32 (batch, 3, patch, patch) and
        (batch, 3, scale * patch, scale * patch) in [0, 1], channels last in memory.
    """
    generator = np.random.default_rng([seed, step])
    low = np.empty((batch, patch, patch, 3), np.uint8)
    high = np.empty((batch, patch * scale, patch * scale, 3), np.uint8)
    pixels = np.cumsum([pair.low.shape[0] * pair.low.shape[1] for pair in pairs])
    for item in range(batch):
        pair = pairs[np.searchsorted(pixels, generator.integers(pixels[-1]), side="right")]
        top, left = (int(generator.integers(side - patch + 1)) for side in pair.low.shape[:2])
        turn = int(generator.integers(8))
        window = _square(top * scale, left * scale, patch * scale)
        high[item] = dihedral(pair.high[window], turn)
        if degrade is None:
            low[item] = dihedral(pair.low[_square(top, left, patch)], turn)
        else:
            made = _degraded(pair.high, top, left, patch, scale, margin, degrade, generator)
            low[item] = dihedral(made, turn)
    return to_tensor(low), to_tensor(high)


def _square(top: int, left: int, side: int) -> tuple[slice, slice]:
    return slice(top, top + side), slice(left, left + side)


def _degraded(
    high: NDArray[np.uint8],
    top: int,
    left: int,
    patch: int,
    scale: int,
    margin: int,
    degrade: Degrade,
    generator: np.random.Generator,
) -> NDArray[np.uint8]:
    """Degrade a crop (top, left and side in pixels of the partner) with what surrounds it."""
    rows, columns = (
        (max(0, start - margin), min(length // scale, start + patch + margin))
        for start, length in zip((top, left), high.shape[:2], strict=True)
    )
    around = high[rows[0] * scale : rows[1] * scale, columns[0] * scale : columns[1] * scale]
    low = degrade(np.ascontiguousarray(around), scale, generator)
    return low[_square(top - rows[0], left - columns[0], patch)]


def to_tensor(images: NDArray[np.uint8]) -> Tensor:
    """Turn uint8 (batch, height, width, 3) into float32 (batch, 3, height, width) in [0, 1]."""
    return torch.tensor(images).permute(0, 3, 1, 2).float().div_(255)


class Prefetch(Generic[T]):
    """Call ``draw(step)`` for rising steps in a thread, a few steps ahead of the trainer.

    Use as a context manager and iterate; `waited` holds the seconds that the trainer waited.
    NumPy's matrix products run on one thread meanwhile: others would spin while they wait for the
    next, on the cores of the trainer.
    """

    def __init__(self, draw: Callable[[int], T], *, start: int, stop: int, ahead: int = 4) -> None:
        self.waited = 0.0
        self._draw = draw
        self._steps = range(start, stop)
        self._ready: queue.Queue[T | BaseException] = queue.Queue(maxsize=ahead)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._limit: threadpool_limits | None = None

    def __enter__(self) -> "Prefetch[T]":
        self._limit = threadpool_limits(limits=1, user_api="blas")
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stopping.set()
        self._thread.join()
        if self._limit:
            self._limit.restore_original_limits()

    def __iter__(self) -> Iterator[T]:
        for _ in self._steps:
            begin = time.perf_counter()
            drawn = self._ready.get()
            self.waited += time.perf_counter() - begin
            if isinstance(drawn, BaseException):
                raise drawn
            yield drawn

    def _work(self) -> None:
        for step in self._steps:
            try:
                drawn: T | BaseException = self._draw(step)
            except Exception as error:  # handed to the trainer, which raises it
                drawn = error
            while not self._stopping.is_set():
                try:
                    self._ready.put(drawn, timeout=0.1)
                    break
                except queue.Full:
                    continue
            if self._stopping.is_set() or isinstance(drawn, BaseException):
                return
