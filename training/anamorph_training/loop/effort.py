"""What a run has cost: processor time, kept over resumes."""

import time


class Effort:
    """Processor time of this process and of the run's former ones.

    Args:
        cpu_seconds: Spent before, from the checkpoint.
    """

    def __init__(self, cpu_seconds: float = 0.0) -> None:
        self._before = cpu_seconds
        self._start = time.process_time()

    @property
    def cpu_seconds(self) -> float:
        """Seconds of all threads together, since the run's first step."""
        return self._before + time.process_time() - self._start

    @property
    def cpu_hours(self) -> float:
        """The same in hours."""
        return self.cpu_seconds / 3600
