"""Means between two lines of a journal."""

from types import SimpleNamespace

import pytest
import torch

from anamorph_training.loop.meter import Meter


def test_a_mean_is_over_the_steps_that_gave_its_figure() -> None:
    meter = Meter(SimpleNamespace(waited=0.0))
    for step in range(4):
        meter.add(always=torch.tensor(float(step)), never=None)
        if step >= 2:
            meter.add(late=torch.tensor(10.0 * step))
    means = meter.take()
    assert means["always"] == 1.5
    assert means["late"] == 25
    assert "never" not in means
    assert means["steps_per_second"] > 0
    meter.add(late=torch.tensor(1.0))
    assert meter.take()["late"] == 1


def test_steps_are_counted_once_however_many_figures_they_give(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("time.perf_counter", iter([0.0, 2.0, 2.0]).__next__)
    meter = Meter(SimpleNamespace(waited=0.0))
    for _ in range(3):
        meter.add(one=torch.tensor(1.0))
        meter.add(two=torch.tensor(1.0))
    assert meter.take()["steps_per_second"] == 1.5
