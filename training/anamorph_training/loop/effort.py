"""What a run has cost: processor and GPU time, kept over resumes."""

import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Spent:
    """Time spent since a run's first step.

    Attributes:
        cpu_seconds: Processor time of all threads together.
        gpu_seconds: Wall time on GPUs times their number; 0 on a CPU.
    """

    cpu_seconds: float = 0.0
    gpu_seconds: float = 0.0

    @property
    def cpu_hours(self) -> float:
        """Processor time in hours."""
        return self.cpu_seconds / 3600

    @property
    def gpu_hours(self) -> float:
        """GPU time in hours."""
        return self.gpu_seconds / 3600


class Effort:
    """Time that this process and the run's former ones have spent.

    Args:
        before: Spent before, from the checkpoint.
        gpus: Devices that the run computes on; 0 for a CPU.
    """

    def __init__(self, before: Spent, *, gpus: int) -> None:
        self._before = before
        self._gpus = gpus
        self._cpu_start = time.process_time()
        self._wall_start = time.perf_counter()

    @property
    def spent(self) -> Spent:
        """Everything up to now."""
        cpu = time.process_time() - self._cpu_start
        gpu = (time.perf_counter() - self._wall_start) * self._gpus
        return Spent(self._before.cpu_seconds + cpu, self._before.gpu_seconds + gpu)
