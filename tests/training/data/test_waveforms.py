"""Stretches of recordings: decided by seed and step, levelled, and never clipped."""

from pathlib import Path

import numpy as np
import pytest
import torch

from anamorph_training.data.recordings import Recording
from anamorph_training.data.waveforms import Stretches, draw_waveforms


@pytest.fixture
def recordings() -> list[Recording]:
    generator = np.random.default_rng(0)
    return [
        Recording(generator.integers(-9000, 9000, length).astype(np.int16), bandwidth, Path("x"))
        for length, bandwidth in ((3000, 8000.0), (9000, 11025.0), (50, 8000.0))
    ]


def draw(recordings: list[Recording], step: int, **options: object) -> Stretches:
    settings: dict[str, object] = {"batch": 64, "samples": 400, "seed": 1, **options}
    return draw_waveforms(step, recordings=recordings, **settings)  # type: ignore[arg-type]


def test_seed_and_step_decide_everything(recordings: list[Recording]) -> None:
    first = draw(recordings, 3).waveform
    assert torch.equal(first, draw(recordings, 3).waveform)
    assert not torch.equal(first, draw(recordings, 4).waveform)
    assert not torch.equal(first, draw(recordings, 3, seed=2).waveform)


def test_long_recordings_are_drawn_from_as_often_as_they_are_long(
    recordings: list[Recording],
) -> None:
    drawn = draw(recordings, 0, batch=2000)
    assert float((drawn.bandwidth > 9000).float().mean()) == pytest.approx(0.75, abs=0.04)
    assert drawn.waveform.shape == (2000, 400)


def test_ends_of_recordings_are_seen(recordings: list[Recording]) -> None:
    silent = (draw(recordings, 0, batch=1000).waveform == 0).float()
    begins, ends = silent[:, 0] > 0, silent[:, -1] > 0
    assert begins.any()
    assert ends.any()
    assert (begins & ends).float().mean() < 0.05  # recordings shorter than a stretch alone


def test_levels_vary_within_their_bounds_and_nothing_clips(recordings: list[Recording]) -> None:
    same = draw(recordings, 0).waveform
    louder = draw(recordings, 0, gain_db=(6.0, 40.0)).waveform
    assert louder.abs().max() <= 1
    rms = [one.square().mean(1).sqrt() for one in (louder, same)]
    assert (rms[0] / rms[1]).min() > 1.9
