"""Means of what a loop measures, between two lines of its journal."""

import time
from collections import Counter
from typing import Protocol

import torch
from torch import Tensor


class _Waits(Protocol):
    waited: float


class Meter:
    """Collect figures step by step without making the device wait for each.

    Args:
        batches: Its ``waited`` counts the seconds that the loop waited for data.
    """

    def __init__(self, batches: _Waits) -> None:
        self._batches = batches
        self._sums: dict[str, Tensor] = {}
        self._counts: Counter[str] = Counter()
        self._begin_interval()

    def _begin_interval(self) -> None:
        self._sums.clear()
        self._counts.clear()
        self._begin, self._waited = time.perf_counter(), self._batches.waited

    @torch.no_grad()
    def add(self, **figures: Tensor | None) -> None:
        """Add scalar figures of one step, each at most once; None is passed over."""
        for name, value in figures.items():
            if value is None:
                continue
            self._counts[name] += 1
            former = self._sums.get(name)
            self._sums[name] = value.detach().clone() if former is None else former + value

    def take(self) -> dict[str, float]:
        """Return means since the last call, steps per second, and the share spent waiting.

        A mean is over the steps that gave its figure.
        """
        seconds = time.perf_counter() - self._begin
        means = {name: float(total) / self._counts[name] for name, total in self._sums.items()}
        steps = max(self._counts.values(), default=0)  # some figures are not given every step
        means["steps_per_second"] = steps / seconds
        means["data_wait_share"] = (self._batches.waited - self._waited) / seconds
        self._begin_interval()
        return means
