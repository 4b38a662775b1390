"""Convert a voice while it speaks: blocks of any size in, blocks out.

The graph keeps no state. Every step is read with all that it depends on, as chunks of a recording
are, so that a stream comes out as the whole recording does.
"""

from typing import Final

import numpy as np

from anamorph.audio_reader import check_finite, check_rate
from anamorph.chunks import geometry_of
from anamorph.errors import InputError
from anamorph.limiter import Limiter
from anamorph.live_resampling import LiveResampler
from anamorph.loudness import check_gain
from anamorph.resampling import rate_length
from anamorph.tiling import Span, span
from anamorph.upscaling import Session

STEP_SECONDS: Final = 0.04  # converted at once, at most
_ENDLESS: Final = 2**62


class VoiceStream:
    """One running conversion; made by ``VoiceConverter.stream``.

    Args:
        session: What runs the graph.
        sample_rate: Hz, of what comes in and goes out; None takes the model's.
        gain_db: Raises what the model hears, and lowers what it makes by as much.

    Attributes:
        sample_rate: Hz, of what comes in and goes out.
        delays: Seconds from a moment's coming in to its going out, term by term: ``model`` (what
            the model has to hear of the time after it), ``step`` (the most that is waited for
            until enough is there to convert), ``resampling`` and ``limiter``. Time to compute is
            no part of it, nor are the caller's blocks.

    Raises:
        InputError: The model's context is unbounded, or an option is out of range.
    """

    def __init__(
        self, session: Session, *, sample_rate: int | None = None, gain_db: float = 0.0
    ) -> None:
        card = session.card
        if card.context_before is None or card.context_after is None:
            raise InputError(f"{card.name}: depends on the whole recording; convert it whole")
        self.sample_rate = card.sample_rate if sample_rate is None else sample_rate
        check_rate(self.sample_rate)
        check_gain(gain_db)
        self._session = session
        self._geometry = geometry_of(card)
        unit = self._geometry.step
        self._step = max(1, int(STEP_SECONDS * card.sample_rate) // unit) * unit
        self._factor = np.float32(10 ** (gain_db / 20))
        self._begin()
        self.delays = {
            "model": self._ahead() / card.sample_rate,
            "step": self._step / card.sample_rate,
            "resampling": self._into.reach / self.sample_rate + self._out.reach / card.sample_rate,
            "limiter": self._limiter.delay / self.sample_rate,
        }

    @property
    def latency(self) -> float:
        """Seconds from a moment's coming in to its going out: the sum of ``delays``."""
        return sum(self.delays.values())

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Take a block, and return what is finished.

        Args:
            samples: float32 (samples,) or (samples, channels), which are averaged; of any length.

        Returns:
            float32 (samples,), maybe none; in all, what came in ``latency`` ago at the latest.

        Raises:
            InputError: The block has another shape or holds whole numbers or NaN.
            ModelFileError: The graph fails.
        """
        block = _mono(samples)
        self._taken += len(block)
        self._hear(self._into.push(block * self._factor))
        made: np.ndarray = self._limiter.push(self._out.push(self._convert(_ENDLESS))[np.newaxis])
        return made.ravel()

    def flush(self) -> np.ndarray:
        """Return all that has not come out yet, and begin anew.

        Returns:
            float32 (samples,); with what came before, as many samples as went in.
        """
        if not self._taken:
            return np.zeros(0, np.float32)
        length = rate_length(self._taken, self.sample_rate, self._session.card.sample_rate)
        padded = self._geometry.padded(length)
        self._hear(self._into.finish(length))
        self._hear(np.zeros(padded - self._heard, np.float32))
        left = length - self._converted
        rest = [self._out.push(self._convert(padded)[:left]), self._out.finish(self._taken)]
        limited = [self._limiter.push(np.concatenate(rest)[np.newaxis]), self._limiter.finish()]
        self._begin()
        return np.concatenate(limited, axis=1).ravel()

    def _ahead(self) -> int:
        """Return how many samples after a step have to be there before it is converted."""
        return span(0, self._step, _ENDLESS, self._geometry).read_stop - self._step

    def _begin(self) -> None:
        own = self._session.card.sample_rate
        self._into = LiveResampler(self.sample_rate, own)
        self._out = LiveResampler(own, self.sample_rate)
        self._limiter = Limiter(self.sample_rate, 1)
        self._taken = 0  # samples that came in
        self._heard = 0  # of them, at the model's rate, ready to be converted
        self._converted = 0
        self._dropped = 0  # that nothing to come depends on
        self._kept: list[np.ndarray] = []

    def _hear(self, samples: np.ndarray) -> None:
        if len(samples):
            self._kept.append(samples)
            self._heard += len(samples)

    def _convert(self, length: int) -> np.ndarray:
        """Convert all that can be; ``length`` is that of the whole, once it is known."""
        made = [np.zeros(0, np.float32)]
        while self._converted < length:
            stop = min(self._converted + self._step, length)
            part = span(self._converted, stop, length, self._geometry)
            if self._heard < part.read_stop:
                break
            made.append(self._run(part))
            self._converted = stop
        return np.concatenate(made)

    def _run(self, part: Span) -> np.ndarray:
        kept = np.concatenate(self._kept)[part.read_start - self._dropped :]
        self._kept, self._dropped = [kept], part.read_start
        made = self._session.run(kept[np.newaxis, : part.size]) / self._factor
        return made[0, part.keep_start - part.read_start : part.keep_stop - part.read_start]


def _mono(samples: np.ndarray) -> np.ndarray:
    given = np.asarray(samples)
    if not np.issubdtype(given.dtype, np.floating):
        raise InputError(
            f"block of {given.dtype}: accepted are floats in [-1, 1]; divide whole numbers by "
            "what full scale is in them"
        )
    block = given.astype(np.float32)
    if block.ndim not in (1, 2) or (block.ndim == 2 and not block.shape[1]):
        raise InputError(
            f"block of shape {block.shape}: accepted are (samples,) and (samples, channels)"
        )
    if block.size:
        check_finite(block, "block")
    return block if block.ndim == 1 else block.mean(1)
