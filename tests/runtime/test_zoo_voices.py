"""The voices of the zoo on a real sentence."""

from pathlib import Path

import numpy as np
import pytest

from anamorph.audio import Audio
from anamorph.loading import load_converter

SENTENCE = Path(__file__).parents[2] / "docs/samples/sentence.flac"
EACH = pytest.mark.parametrize(
    "name", ["flemishguy", "flemishguy-live", "nathalie", "nathalie-live"]
)


@EACH
def test_a_sentence_is_spoken_by_somebody_else(name: str) -> None:
    given = Audio.open(SENTENCE)
    made = load_converter(name, device="cpu").convert(given)
    assert made.samples.shape == given.samples.shape
    assert made.sample_rate == given.sample_rate
    levels = [np.sqrt(np.mean(np.square(one.samples))) for one in (given, made)]
    assert 0.5 < levels[1] / levels[0] < 2
    assert np.corrcoef(given.samples, made.samples)[0, 1] < 0.5  # it is no copy


@EACH
def test_pauses_stay_quiet(name: str) -> None:
    given = Audio.open(SENTENCE)
    silence = np.zeros(2 * given.sample_rate, np.float32)
    padded = Audio(np.concatenate([silence, given.samples, silence]), given.sample_rate)
    made = load_converter(name, device="cpu").convert(padded).samples
    ends = np.concatenate([made[: given.sample_rate], made[-given.sample_rate :]])
    assert ends.std() < 0.02 * made.std()  # flemishguy's recordings hiss at 0.03
    assert np.abs(made).max() > 0.05


@EACH
def test_digital_silence_stays_silence(name: str) -> None:
    made = load_converter(name, device="cpu").convert(Audio(np.zeros(30_000), 22050))
    assert not made.samples.any()
