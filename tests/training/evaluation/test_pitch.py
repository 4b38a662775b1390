"""Pitch moved until it is measured where it was asked for."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from tests.training.conftest import spoken_wave

from anamorph.audio import Audio
from anamorph.errors import InputError
from anamorph_training.data.perturbation import Perturbation, perturb
from anamorph_training.evaluation import pitch

RATE = 22050


def test_a_move_that_falls_short_is_corrected(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyworld", reason="the extra evaluate is not installed")

    def falls_short(samples: Any, rate: int, changes: Sequence[Perturbation]) -> Any:
        return perturb(samples, rate, [Perturbation(one.pitch**0.8, 1, 0) for one in changes])

    monkeypatch.setattr(pitch, "perturb", falls_short)
    spoken = [Audio(spoken_wave(seed, seconds=0.7), RATE) for seed in (0, 1)]
    for hertz in (90.0, 240.0):
        moved = pitch.move_pitch(spoken, hertz)
        assert pitch.median_pitch(moved) == pytest.approx(hertz, rel=0.01)


def test_a_click_has_no_pitch() -> None:
    pytest.importorskip("pyworld", reason="the extra evaluate is not installed")
    click = np.zeros(RATE // 2, np.float32)
    click[RATE // 4] = 0.5
    with pytest.raises(InputError, match="hold no voiced speech"):
        pitch.median_pitch([Audio(click, RATE)])
