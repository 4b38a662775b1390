"""Means of what a loop measures, between two lines of its journal."""

import time
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
        self._begin_interval()

    def _begin_interval(self) -> None:
        self._sums.clear()
        self._steps = 0
        self._begin, self._waited = time.perf_counter(), self._batches.waited

    @torch.no_grad()
    def add(self, **figures: Tensor | None) -> None:
        """Add the scalar figures of one step; None is passed over."""
        self._steps += 1
        for name, value in figures.items():
            if value is None:
                continue
            former = self._sums.get(name)
            self._sums[name] = value.detach().clone() if former is None else former + value

    def take(self) -> dict[str, float]:
        """Return the means since the last call, steps per second, and the share spent waiting."""
        seconds = time.perf_counter() - self._begin
        means = {name: float(total) / self._steps for name, total in self._sums.items()}
        means["steps_per_second"] = self._steps / seconds
        means["data_wait_share"] = (self._batches.waited - self._waited) / seconds
        self._begin_interval()
        return means
