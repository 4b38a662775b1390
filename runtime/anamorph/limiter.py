"""A look-ahead limiter of the true peak: what would clip is turned down before it comes.

Its gain depends on a fixed stretch around each sample and on nothing else, so that a stream and a
whole recording come out alike.
"""

from typing import Final

import numpy as np

CEILING: Final = 10 ** (-1 / 20)  # -1 dB of full scale; encoders need some room
_LOOK_AHEAD_SECONDS: Final = 0.005
# Finer than ITU-R BS.1770-5 annex 2 has it: 4 points from 16 samples miss 1 dB of resampled noise.
_PHASES: Final = 8  # points from one sample to the next, its own included
_HALF_TAPS: Final = 16  # samples on each side that a point between two is worked out from
_SPARE: Final = 2.0**-20  # by which sums in float32 may fall short, so that no peak slips through


class Limiter:
    """Limits a stream; what comes out is as long as what goes in, and begins with it.

    Args:
        sample_rate: Hz.
        channels: All of them are turned down alike.
        ceiling: Greatest true peak that comes out.

    Attributes:
        reach: Samples on each side of a peak that are turned down with it.
        delay: Samples that come in after one before it comes out.
    """

    def __init__(self, sample_rate: int, channels: int, *, ceiling: float = CEILING) -> None:
        self.reach = max(1, round(_LOOK_AHEAD_SECONDS * sample_rate))
        self._ceiling = np.float32(ceiling)
        self.delay = 2 * self.reach + _HALF_TAPS
        self._kernels = _between()
        window = np.hanning(2 * self.reach + 3)[1:-1]
        self._window = (window / window.sum() * (1 + _SPARE)).astype(np.float32)
        # Silence before the first sample: every sample has its whole stretch.
        self._kept = np.zeros((channels, self.delay), np.float32)

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Take float32 (channels, samples), and return those that are finished, maybe none."""
        given = np.concatenate([self._kept, samples], axis=1)
        ready = given.shape[1] - 2 * self.delay
        if ready <= 0:
            self._kept = given
            return given[:, :0]
        self._kept = given[:, ready:]
        made = given[:, self.delay : -self.delay]
        return made * self._gain(given)

    def finish(self) -> np.ndarray:
        """Return what has not come out yet."""
        return self.push(np.zeros((self._kept.shape[0], self.delay), np.float32))

    def _gain(self, given: np.ndarray) -> np.ndarray | np.float32:
        """Return float32 (samples,) for all but the margins."""
        peak = self._peaks(given)
        if peak.max() <= self._ceiling:
            return np.float32(1)
        wanted = self._ceiling / np.maximum(peak, self._ceiling)
        held = _least_around(wanted, self.reach)
        # What is taken away is smoothed, so that nothing taken away stays exactly nothing.
        gain: np.ndarray = 1 - np.convolve(1 - held, self._window, mode="valid")
        return gain

    def _peaks(self, given: np.ndarray) -> np.ndarray:
        """Return float32: the greatest value of any channel at each sample and up to the next."""
        inner = slice(_HALF_TAPS, -_HALF_TAPS)
        peak: np.ndarray = np.abs(given[:, inner]).max(0)
        if peak.max() * 2 > self._ceiling:  # what lies between is never more than twice as high
            for channel in given:
                for kernel in self._kernels:
                    between = np.abs(np.convolve(channel, kernel, mode="valid"))
                    # One more than there are samples: both sides of each belong to it.
                    beside = np.maximum(between[:-1], between[1:])
                    np.maximum(peak, beside[: len(peak)], out=peak)
        return peak


def _between() -> list[np.ndarray]:
    """Return windowed-sinc kernels for the points between two samples: float32 (32,) each."""
    times = np.arange(-_HALF_TAPS + 1, _HALF_TAPS + 1)
    kernels = []
    for phase in range(1, _PHASES):
        at = times - phase / _PHASES
        kernel = np.sinc(at) * np.cos(np.pi * at / (2 * _HALF_TAPS + 1)) ** 2
        kernels.append((kernel / kernel.sum()).astype(np.float32)[::-1])
    return kernels


def _least_around(values: np.ndarray, reach: int) -> np.ndarray:
    """Return the least of each value and ``reach`` on either side, where all are there."""
    width, wanted = 1, 2 * reach + 1
    while width < wanted:  # of 2 values, of 4, of 8 and so on
        step = min(width, wanted - width)
        values = np.minimum(values[:-step], values[step:])
        width += step
    return values
