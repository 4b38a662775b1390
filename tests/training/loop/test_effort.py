"""Time spent is counted over resumes, and on GPUs by their number."""

import time

import pytest

from anamorph_training.loop.effort import Effort, Spent


def set_clocks(monkeypatch: pytest.MonkeyPatch, *, cpu: float, wall: float) -> None:
    monkeypatch.setattr(time, "process_time", lambda: cpu)
    monkeypatch.setattr(time, "perf_counter", lambda: wall)


@pytest.mark.parametrize(("gpus", "gpu_hours"), [(0, 0.5), (1, 1.5), (2, 2.5)])
def test_adds_to_what_was_spent_before(
    gpus: int, gpu_hours: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_clocks(monkeypatch, cpu=100, wall=1000)
    effort = Effort(Spent(cpu_seconds=3600, gpu_seconds=1800), gpus=gpus)
    set_clocks(monkeypatch, cpu=100 + 7200, wall=1000 + 3600)
    assert effort.spent.cpu_hours == pytest.approx(3)
    assert effort.spent.gpu_hours == pytest.approx(gpu_hours)
