"""Change the rate of a stream of sound with a delay of a few milliseconds.

SoX's resampler, which recordings go through, holds back 20 to 120 milliseconds of a stream. This
one is a table of windowed sincs, one for each place that an output can have between two inputs.
"""

from math import ceil, gcd
from typing import Final

import numpy as np

_ZERO_CROSSINGS: Final = 32  # of the sinc on each side, at the lower of both rates
_CUTOFF: Final = 0.47  # of the lower rate: -6 dB
_BETA: Final = 8.0  # of Kaiser's window: 80 dB below from 0.53 of the lower rate on


class LiveResampler:
    """Resamples one channel; output n is the sound at time n / ``wanted``.

    Args:
        sample_rate: Hz, of what comes in.
        wanted: Hz, of what goes out.

    Attributes:
        reach: Samples that come in after a moment before the sound at it goes out.
    """

    def __init__(self, sample_rate: int, wanted: int) -> None:
        shared = gcd(sample_rate, wanted)
        self._step, self._phases = sample_rate // shared, wanted // shared
        self._exact = sample_rate == wanted
        widest = max(1.0, sample_rate / wanted)
        self.reach = 0 if self._exact else ceil(_ZERO_CROSSINGS * widest)
        if not self._exact:
            self._kernels = _kernels(self._phases, self.reach, _CUTOFF / widest)
        self._kept = np.zeros(self.reach, np.float32)  # begins ``reach`` before the first sample
        self._dropped = 0  # samples that are no longer kept
        self._made = 0

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Take float32 (samples,), and return what is finished, maybe nothing."""
        if self._exact:
            return samples
        given = np.concatenate([self._kept, samples])
        # The last sample that is followed by ``reach`` more; all outputs up to it are finished.
        last = self._dropped + len(given) - 2 * self.reach - 1
        stop = last * self._phases // self._step + 1
        if stop <= self._made:
            self._kept = given
            return np.zeros(0, np.float32)
        positions = np.arange(self._made, stop, dtype=np.int64) * self._step
        starts = positions // self._phases + 1 - self._dropped
        windows = np.lib.stride_tricks.sliding_window_view(given, 2 * self.reach)
        made: np.ndarray = np.einsum(
            "ij,ij->i", windows[starts], self._kernels[positions % self._phases]
        )
        self._made = stop
        spent = stop * self._step // self._phases + 1 - self._dropped
        self._kept, self._dropped = given[spent:], self._dropped + spent
        return made

    def finish(self, samples: int) -> np.ndarray:
        """Return what is left, if ``samples`` are to come out in all; silence follows the end."""
        missing = samples - self._made
        if self._exact or missing <= 0:
            return np.zeros(0, np.float32)
        silence = ceil(missing * self._step / self._phases) + 2 * self.reach + 2
        return self.push(np.zeros(silence, np.float32))[:missing]


def _kernels(phases: int, reach: int, cutoff: float) -> np.ndarray:
    """Return float32 (phases, 2 * reach): weights of the samples around an output.

    Args:
        phases: Places between two samples, at multiples of 1 / ``phases``.
        reach: Samples on each side.
        cutoff: Of the rate of what comes in.
    """
    between = np.arange(phases)[:, np.newaxis] / phases
    times = np.arange(1 - reach, reach + 1) - between  # of each sample, from the output on
    window = np.i0(_BETA * np.sqrt(np.maximum(0, 1 - np.square(times / reach))))
    kernels = np.sinc(2 * cutoff * times) * window
    normal: np.ndarray = (kernels / kernels.sum(1, keepdims=True)).astype(np.float32)
    return normal
