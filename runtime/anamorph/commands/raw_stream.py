"""`anamorph convert --raw`: headerless sound through a pipe, converted while it comes in."""

import os
import sys
import time
from collections import deque
from typing import BinaryIO, Final

import numpy as np

from anamorph.errors import InputError, OutputError
from anamorph.stream import VoiceStream

# What a sample is, and what 1.0 is in it.
_LAYOUTS: Final = {"s16le": ("<i2", 2**15), "s32le": ("<i4", 2**31), "f32le": ("<f4", 1)}
_MOST: Final = 2**16  # bytes that are read at once


class Delay:
    """How long samples took from coming in to going out, by the clock."""

    def __init__(self) -> None:
        self.most = 0.0
        self.taken = 0
        self._made = 0
        self._arrivals: deque[tuple[int, float]] = deque()  # samples in all, and when

    def take(self, samples: int) -> None:
        """Count what came in just now."""
        self.taken += samples
        self._arrivals.append((self.taken, time.perf_counter()))

    def give(self, samples: int) -> None:
        """Count what went out just now: the first of it waited longest."""
        if not samples:
            return
        while self._arrivals[0][0] <= self._made:
            self._arrivals.popleft()
        self.most = max(self.most, time.perf_counter() - self._arrivals[0][1])
        self._made += samples


def convert_raw(stream: VoiceStream, kind: str, *, title: str) -> None:
    """Convert standard input to standard output until it ends, and tell the measured delay.

    Args:
        stream: Fresh.
        kind: ``s16le``, ``s32le`` or ``f32le``: what both hold, one channel of it.
        title: For what is told.

    Raises:
        InputError: Standard input is closed, empty, breaks off within a sample, or holds NaN.
        OutputError: Standard output is closed.
    """
    if sys.stdin is None:
        raise InputError("standard input is closed; pipe samples into it")
    if sys.stdout is None:
        raise OutputError("standard output is closed; pipe it on")
    layout, full = _LAYOUTS[kind]
    width = np.dtype(layout).itemsize
    rest, delay, busy = b"", Delay(), 0.0
    source, target = sys.stdin.buffer.fileno(), sys.stdout.buffer
    while data := os.read(source, _MOST):
        data = rest + data
        whole = len(data) // width * width
        data, rest = data[:whole], data[whole:]
        delay.take(whole // width)
        begun = time.perf_counter()
        made = stream.push(np.frombuffer(data, layout).astype(np.float32) / full)
        busy += time.perf_counter() - begun
        _write(target, made, layout, full)
        delay.give(len(made))
    if not delay.taken:
        raise InputError(f"standard input is empty; pipe {kind} samples into it")
    _write(target, stream.flush(), layout, full)
    seconds = delay.taken / stream.sample_rate
    terms = ", ".join(f"{name} {1000 * value:.0f}" for name, value in stream.delays.items())
    print(
        f"{title}: {seconds:.1f} s, at most {1000 * delay.most:.0f} ms from standard input to "
        f"standard output (by design {1000 * stream.latency:.0f}: {terms}); "
        f"{busy / seconds:.2f} s of computing for a second",
        file=sys.stderr,
    )
    if rest:
        raise InputError(f"standard input breaks off within a sample; does it hold {kind}?")


def _write(target: BinaryIO, samples: np.ndarray, layout: str, full: int) -> None:
    if full > 1:  # the limiter keeps them below 1
        samples = np.rint(samples.astype(np.float64) * full)
    target.write(samples.astype(layout).tobytes())
    target.flush()
