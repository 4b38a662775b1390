"""`anamorph convert --raw`: headerless sound through a pipe, converted while it comes in."""

import os
import queue
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import BinaryIO, Final

import numpy as np

from anamorph.errors import InputError, OutputError
from anamorph.stream import VoiceStream

# What a sample is, and what 1.0 is in it.
_LAYOUTS: Final = {"s16le": ("<i2", 2**15), "s32le": ("<i4", 2**31), "f32le": ("<f4", 1)}
_MOST: Final = 2**16  # bytes that are read at once
_WAITING: Final = 16  # blocks that may wait; then the pipe itself has to


class Delay:
    """How long samples took from coming in to going out, by the clock."""

    def __init__(self) -> None:
        self.begun = time.perf_counter()
        self.most = 0.0
        self.taken = 0
        self._made = 0
        self._arrivals: deque[tuple[int, float]] = deque()  # samples in all, and when

    def take(self, samples: int, arrived: float) -> None:
        """Count what came in, and when."""
        self.taken += samples
        self._arrivals.append((self.taken, arrived))

    def give(self, samples: int) -> None:
        """Count what went out just now: the first of it waited longest."""
        if not samples:
            return
        while self._arrivals[0][0] <= self._made:
            self._arrivals.popleft()
        self.most = max(self.most, time.perf_counter() - self._arrivals[0][1])
        self._made += samples


class Reader(threading.Thread):
    """Reads on a thread of its own, so that what comes in while others compute is timed too.

    Args:
        file: Descriptor to read.
    """

    def __init__(self, file: int) -> None:
        super().__init__(daemon=True)
        self._file = file
        self.blocks: queue.Queue[tuple[bytes, float]] = queue.Queue(_WAITING)
        self.start()

    def run(self) -> None:
        """Read until the end, and pass on what came with the time at which it did."""
        data = b" "
        while data:
            try:
                data = os.read(self._file, _MOST)
            except OSError:
                data = b""
            self.blocks.put((data, time.perf_counter()))

    def __iter__(self) -> Iterator[tuple[bytes, float]]:
        """Yield blocks until the end, or until Ctrl-C, which ends a microphone's pipe."""
        try:
            while (block := self.blocks.get())[0]:
                yield block
        except KeyboardInterrupt:
            return


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
    target = sys.stdout.buffer

    def finish(made: np.ndarray, begun: float) -> float:
        spent = time.perf_counter() - begun
        _write(target, made, layout, full)
        delay.give(len(made))
        return spent

    for read, arrived in Reader(sys.stdin.buffer.fileno()):
        data = rest + read
        whole = len(data) // width * width
        data, rest = data[:whole], data[whole:]
        delay.take(whole // width, arrived)
        begun = time.perf_counter()
        made = stream.push(np.frombuffer(data, layout).astype(np.float32) / full)
        busy += finish(made, begun)
    begun = time.perf_counter()
    busy += finish(stream.flush(), begun)
    if delay.taken:
        print(f"{title}: {_describe(stream, delay, busy)}", file=sys.stderr)
    if rest:
        raise InputError(f"standard input breaks off within a sample; does it hold {kind}?")
    if not delay.taken:
        raise InputError(f"standard input is empty; pipe {kind} samples into it")


def _describe(stream: VoiceStream, delay: Delay, busy: float) -> str:
    seconds = delay.taken / stream.sample_rate
    if time.perf_counter() - delay.begun < 0.5 * seconds:  # a file at once: all of it waits
        return f"{seconds:.1f} s came in faster than they are spoken, so no delay was measured"
    terms = ", ".join(f"{name} {1000 * value:.0f}" for name, value in stream.delays.items())
    return (
        f"{seconds:.1f} s, at most {1000 * delay.most:.0f} ms from standard input to standard "
        f"output (by design {1000 * stream.latency:.0f}: {terms}); {busy / seconds:.2f} s of "
        "computing for a second"
    )


def _write(target: BinaryIO, samples: np.ndarray, layout: str, full: int) -> None:
    if full > 1:  # the limiter keeps them below 1
        samples = np.rint(samples.astype(np.float64) * full)
    target.write(samples.astype(layout).tobytes())
    target.flush()
