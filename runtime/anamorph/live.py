"""Between a sound card that must not wait and a voice that takes its time."""

import threading
from collections import deque
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Final

import numpy as np

from anamorph.stream import VoiceStream

_BACKLOG_SECONDS: Final = 1.0  # that may wait to be converted; more is never caught up with
_WATCH_SECONDS: Final = 2.0  # that something must be left over for before the delay is shortened


@dataclass(frozen=True)
class Status:
    """How a live conversion goes.

    Attributes:
        level_in: Greatest absolute sample heard since the last status.
        level_out: Likewise, played.
        latency: Seconds from the microphone to the loudspeaker, by the sound card's clock; 0
            before anything was played.
        under_runs: Times that silence was played because nothing was ready, or that the sound card
            says that it lost something.
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
    ready, silence is played and the delay grows; once as much has been left over for a while, it
    is skipped.

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
        self._left = 0  # samples that are ready
        self._least = self._backlog  # of them after a block, since they are being watched
        self._watched = 0  # samples played meanwhile
        self._block = 0  # greatest so far
        self._taken = self._played = 0
        # Samples of silence that were played too many; below 0, that still have to be before
        # anything else is.
        self._owed = -round((stream.latency + cushion) * stream.sample_rate)
        self._levels = [0.0, 0.0]
        self._latency = 0.0
        self._under_runs = self._dropped = 0
        self._closed = False
        self.error: Exception | None = None
        self._worker = threading.Thread(target=self._work, daemon=True)
        self._worker.start()

    def exchange(
        self, heard: np.ndarray, *, heard_at: float, played_at: float, flawed: bool = False
    ) -> np.ndarray:
        """Take a block, and return one as long to play; never waits for the conversion.

        Args:
            heard: float32 (samples,).
            heard_at: When its first sample was spoken, in seconds.
            played_at: When the first sample of the result will be played, by the same clock.
            flawed: The sound card lost something.
        """
        samples = len(heard)
        with self._lock:
            self._levels[0] = max(self._levels[0], _peak(heard))
            # A block is converted while the next one is played.
            self._owed -= max(0, samples - self._block)
            self._block = max(self._block, samples)
            if self._waiting + samples > self._backlog:
                self._dropped += samples
                self._owed = max(min(self._owed, 0), self._owed - samples)
            else:
                self._arrivals.append((self._taken, heard_at))
                self._taken += samples
                self._waiting += samples
                self._heard.put(heard.copy())
            played, missing = self._play(samples, played_at)
            self._owed += missing
            self._under_runs += bool(missing) or flawed
            self._shorten(samples)
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
        self._closed = True
        self._heard.put(None)
        self._worker.join()

    def _work(self) -> None:
        try:
            while (block := self._heard.get()) is not None and not self._closed:
                made = self._stream.push(block)
                with self._lock:
                    self._waiting -= len(block)
                    self._left += len(made)
                    self._ready.append(made)
        except Exception as error:  # a thread cannot raise where anybody sees it
            self.error = error

    def _play(self, samples: int, played_at: float) -> tuple[np.ndarray, int]:
        """Return what is to be played, and how much of it is missing."""
        made = np.zeros(samples, np.float32)
        filled = min(samples, max(0, -self._owed))
        self._owed += filled
        while filled < samples and self._left:
            part = self._take(samples - filled)
            self._tell_latency(played_at + filled / self._stream.sample_rate)
            made[filled : filled + len(part)] = part
            filled += len(part)
            self._played += len(part)
        return made, samples - filled

    def _take(self, most: int) -> np.ndarray:
        """Take what is ready from its beginning, as much as lies in one piece."""
        block = self._ready.popleft()
        if len(block) > most:
            self._ready.appendleft(block[most:])
        part = block[:most]
        self._left -= len(part)
        return part

    def _shorten(self, samples: int) -> None:
        """Skip what was owed, once it has been left over for a while."""
        self._least = min(self._least, self._left)
        self._watched += samples
        if self._watched < _WATCH_SECONDS * self._stream.sample_rate:
            return
        late = max(0, min(self._owed, self._least))
        self._owed -= late
        self._played += late
        while late:
            late -= len(self._take(late))
        self._least, self._watched = self._backlog, 0

    def _tell_latency(self, played_at: float) -> None:
        while len(self._arrivals) > 1 and self._arrivals[1][0] <= self._played:
            self._arrivals.popleft()
        first, heard_at = self._arrivals[0]
        spoken = heard_at + (self._played - first) / self._stream.sample_rate
        self._latency = played_at - spoken


def _peak(samples: np.ndarray) -> float:
    return float(np.abs(samples).max()) if len(samples) else 0.0
