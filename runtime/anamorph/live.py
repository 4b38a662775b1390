"""Between a sound card that must not wait and a voice that takes its time."""

import threading
from collections import deque
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Final

import numpy as np

from anamorph.stream import VoiceStream

_BACKLOG_SECONDS: Final = 1.0  # that may wait to be converted; more is never caught up with


@dataclass(frozen=True)
class Status:
    """How a live conversion goes.

    Attributes:
        level_in: Greatest absolute sample heard since the last status.
        level_out: Likewise, played.
        latency: Seconds from the microphone to the loudspeaker, by the sound card's clock; 0
            before anything was played.
        under_runs: Times that silence was played because nothing was ready.
        dropped: Seconds that were heard and never converted, because too much was waiting.
    """

    level_in: float
    level_out: float
    latency: float
    under_runs: int
    dropped: float


class Bridge:
    """Takes what is heard, gives what is to be played, and converts on a thread of its own.

    What is played is behind by the stream's latency, a block, and a cushion. Where nothing is
    ready, silence is played, and as much is skipped later: the latency stays.

    Args:
        stream: Fresh.
        cushion: Seconds that computing may take without being heard.

    Attributes:
        error: What ended the conversion, if anything did.
    """

    def __init__(self, stream: VoiceStream, *, cushion: float) -> None:
        self._stream = stream
        self._backlog = round(_BACKLOG_SECONDS * stream.sample_rate)
        self._heard: SimpleQueue[np.ndarray | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._ready: deque[np.ndarray] = deque()
        self._arrivals: deque[tuple[int, float]] = deque()  # first sample of a block, and when
        self._waiting = 0  # samples that wait to be converted
        self._taken = self._played = 0
        # Samples of silence that were played in place of what comes later; below 0, that still
        # have to be before anything else is.
        self._owed = -round((stream.latency + cushion) * stream.sample_rate)
        self._levels = [0.0, 0.0]
        self._latency = 0.0
        self._under_runs = self._dropped = 0
        self.error: Exception | None = None
        self._worker = threading.Thread(target=self._work, daemon=True)
        self._worker.start()

    def exchange(self, heard: np.ndarray, *, heard_at: float, played_at: float) -> np.ndarray:
        """Take a block, and return one as long to play; never waits for the conversion.

        Args:
            heard: float32 (samples,).
            heard_at: When its first sample was spoken, in seconds.
            played_at: When the first sample of the result will be played, by the same clock.
        """
        with self._lock:
            self._levels[0] = max(self._levels[0], _peak(heard))
            if not self._taken:
                self._owed -= len(heard)  # a block is converted while the next one is played
            if self._waiting + len(heard) > self._backlog:
                self._dropped += len(heard)
                self._owed = max(min(self._owed, 0), self._owed - len(heard))
            else:
                self._arrivals.append((self._taken, heard_at))
                self._taken += len(heard)
                self._waiting += len(heard)
                self._heard.put(heard.copy())
            played = self._play(len(heard), played_at)
            self._levels[1] = max(self._levels[1], _peak(played))
        return played

    def status(self) -> Status:
        """Return how it goes; levels start anew."""
        with self._lock:
            levels, self._levels = self._levels, [0.0, 0.0]
            dropped = self._dropped / self._stream.sample_rate
            return Status(levels[0], levels[1], self._latency, self._under_runs, dropped)

    def close(self) -> None:
        """Let the thread end; what has not been converted is left."""
        self._heard.put(None)
        self._worker.join()

    def _work(self) -> None:
        try:
            while (block := self._heard.get()) is not None:
                made = self._stream.push(block)
                with self._lock:
                    self._waiting -= len(block)
                    if len(made):
                        self._ready.append(made)
        except Exception as error:  # a thread cannot raise where anybody sees it
            self.error = error

    def _play(self, samples: int, played_at: float) -> np.ndarray:
        made = np.zeros(samples, np.float32)
        filled = min(samples, max(0, -self._owed))
        self._owed += filled
        while filled < samples and self._ready:
            block = self._skip(self._ready.popleft())
            part = block[: samples - filled]
            if len(part) and not self._owed:
                self._tell_latency(played_at + filled / self._stream.sample_rate)
            made[filled : filled + len(part)] = part
            filled += len(part)
            self._played += len(part)
            if len(block) > len(part):
                self._ready.appendleft(block[len(part) :])
        if filled < samples:
            self._under_runs += 1
            self._owed += samples - filled
        return made

    def _skip(self, block: np.ndarray) -> np.ndarray:
        late = min(self._owed, len(block))
        self._owed -= late
        self._played += late
        return block[late:]

    def _tell_latency(self, played_at: float) -> None:
        while len(self._arrivals) > 1 and self._arrivals[1][0] <= self._played:
            self._arrivals.popleft()
        first, heard_at = self._arrivals[0]
        spoken = heard_at + (self._played - first) / self._stream.sample_rate
        self._latency = played_at - spoken


def _peak(samples: np.ndarray) -> float:
    return float(np.abs(samples).max()) if len(samples) else 0.0
