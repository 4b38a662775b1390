"""The recipe of voices: copies first, then cycles, as the zoo's voices were trained."""

from pathlib import Path

import pytest

from anamorph_training.loop.run_folder import settings
from anamorph_training.rebuilding import rebuild
from anamorph_training.recipes import cyclegan_voice
from anamorph_training.recipes.cyclegan_voice import Config


def rates(**changes: int) -> list[float]:
    config = Config(source=(Path("a"),), target=(Path("b"),), **changes)  # type: ignore[arg-type]
    return [cyclegan_voice._learning_share(config, step) for step in range(config.steps)]


def test_one_run_has_the_learning_rates_of_the_two_that_made_the_zoo() -> None:
    start, cycles = rates(steps=7000, start_steps=7000), rates(steps=3000, start_steps=0)
    assert rates() == pytest.approx(start + cycles)
    assert (start[-1], max(cycles)) == pytest.approx((0.3, 1.0))


def test_what_samples_are_heard_through_decides_no_run() -> None:
    config = Config(source=(Path("a"),), target=(Path("b"),), vocoder="https://here/v.onnx")
    assert str(config.vocoder) == "https://here/v.onnx"
    kept = settings(config)
    assert "vocoder" not in kept
    assert rebuild("cyclegan_voice", kept | {"vocoder": "vocoder-22k"})  # as runs of old have it
