"""One job works at a time, a few wait, and any can be called off."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from anamorph.errors import AnamorphError

_POLL: Final = 0.2  # seconds between looks at whether a waiting job was called off


class BusyError(AnamorphError):
    """There is more to do than is let wait."""


class CalledOffError(AnamorphError):
    """Whoever wanted the job no longer does."""


class Job:
    """What somebody waits for.

    Args:
        show: Told the share that is done, in [0, 1], and a few words, such as the time left.
    """

    def __init__(self, show: Callable[[float, str], None] = lambda share, words: None) -> None:
        self._show = show
        self._called_off = threading.Event()
        self._begun = time.perf_counter()
        self._span = (0.0, 1.0)

    def call_off(self) -> None:
        """Let it end at its next step; from any thread."""
        self._called_off.set()

    def check(self) -> None:
        """Do nothing unless it was called off.

        Raises:
            CalledOffError: It was.
        """
        if self._called_off.is_set():
            raise CalledOffError("called off")

    def begin(self) -> None:
        """Start the clock that the time left is told by."""
        self._begun = time.perf_counter()

    def wait(self, before: int) -> None:
        """Tell how many jobs come before it."""
        self.check()
        self._show(0.0, f"waiting: {before} before you")

    def progress(self, share: float) -> None:
        """Tell how far it is, or the part that it is in.

        Raises:
            CalledOffError: It was called off.
        """
        self.check()
        first, last = self._span
        share = first + share * (last - first)
        spent = time.perf_counter() - self._begun
        left = spent * (1 - share) / share if share > 0 else 0.0
        self._show(share, f"{left:.0f} s left" if left >= 1 else "nearly done")

    @contextmanager
    def part(self, number: int, count: int) -> Iterator[None]:
        """Let progress within the block be that of one of so many equal parts, counted from 0."""
        self.check()
        self._span = (number / count, (number + 1) / count)
        yield
        self._span = (0.0, 1.0)


class Desk:
    """Serves jobs in the order in which they come.

    Args:
        waiting: Jobs that may wait.
    """

    def __init__(self, *, waiting: int) -> None:
        self._most = 1 + waiting
        self._line: deque[Job] = deque()  # the first is served
        self._change = threading.Condition()
        self._closed = False

    @property
    def length(self) -> int:
        """Jobs that are served or wait."""
        return len(self._line)

    def enter(self, job: Job) -> None:
        """Let a job stand in line; it takes its `turn`, or must `leave`.

        Raises:
            BusyError: Too many wait already, or the server ends.
        """
        with self._change:
            if self._closed:
                raise BusyError("the server is about to end; try again later")
            if len(self._line) >= self._most:
                raise BusyError(
                    f"{len(self._line)} jobs are at work or wait, {self._most} are the most; try "
                    "again in a few seconds"
                )
            self._line.append(job)

    def leave(self, job: Job) -> None:
        """Let a job go, whether or not it stands in line."""
        with self._change:
            if job in self._line:
                self._line.remove(job)
                self._change.notify_all()

    @contextmanager
    def turn(self, job: Job) -> Iterator[None]:
        """Wait until it is a job's turn, which has entered, and keep it until the block ends.

        Raises:
            CalledOffError: The job was called off while it waited.
        """
        try:
            with self._change:
                while (before := self._line.index(job)) > 0:
                    job.wait(before)
                    self._change.wait(_POLL)
            job.begin()
            job.check()
            yield
        finally:
            self.leave(job)

    def close(self) -> None:
        """Call everything off, and let nothing more in."""
        with self._change:
            self._closed = True
            for job in self._line:
                job.call_off()
            self._change.notify_all()
