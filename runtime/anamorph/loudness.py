"""How loud speech is: the level that voices are converted at."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from anamorph.errors import InputError

# Root mean square of speech that voice models are trained with: -24 dB of full scale.
LEVEL: Final = 0.063
SILENCE_DB: Final = 45.0  # below the loudest frame
_FRAME_SECONDS: Final = 256 / 22050
_NOTHING: Final = 1e-10  # mean square of what is digital silence, or its dither: -100 dB


@dataclass(frozen=True)
class Measure:
    """What was found in a whole recording.

    Attributes:
        samples: Its length, per channel.
        level: Root mean square of its speech; 0 where there is nothing but silence.
    """

    samples: int
    level: float

    @property
    def gain_db(self) -> float:
        """What brings its speech to ``LEVEL``, in dB; 0 for silence."""
        return float(20 * np.log10(LEVEL / self.level)) if self.level else 0.0


def measure(blocks: Iterable[np.ndarray], sample_rate: int) -> Measure:
    """Measure a recording, block by block.

    Frames more than 45 dB below the loudest are silence, and do not count.

    Args:
        blocks: float32 (channels, samples) each; the power of channels is averaged.
        sample_rate: Hz.
    """
    frame = max(1, round(_FRAME_SECONDS * sample_rate))
    rest = np.zeros(0, np.float32)  # mean square of the channels, sample by sample
    powers: list[np.ndarray] = []
    samples = 0
    for block in blocks:
        samples += block.shape[1]
        power = np.concatenate([rest, np.square(block).mean(0)])
        whole = len(power) // frame * frame
        powers.append(power[:whole].reshape(-1, frame).mean(1))
        rest = power[whole:]
    if len(rest):
        powers.append(rest.mean(keepdims=True))
    return Measure(samples, speech_level(np.concatenate([np.zeros(1), *powers])))


def check_gain(gain_db: float) -> None:
    """Refuse a gain that is no number, or beyond what makes sense.

    Raises:
        InputError: It is.
    """
    if not -80 <= gain_db <= 80:
        raise InputError(f"gain {gain_db} dB: -80 to 80 are accepted")


def speech_level(powers: np.ndarray) -> float:
    """Return the root mean square of the frames that hold speech; 0 where none does.

    Args:
        powers: (frames,), mean square of each.
    """
    loudest = float(powers.max())
    if loudest < _NOTHING:
        return 0.0
    return float(np.sqrt(powers[powers > loudest * 10 ** (-SILENCE_DB / 10)].mean()))
