"""The zoo's live voices: how far behind they are, and whether a stream keeps up."""

import re
from pathlib import Path

import numpy as np
import pytest
from tests.runtime.test_raw_pipe import pace, start
from tests.runtime.test_stream import in_blocks

from anamorph.audio import Audio
from anamorph.loading import load_converter

SENTENCE = Path(__file__).parents[2] / "docs/samples/sentence.flac"
EACH = pytest.mark.parametrize("name", ["flemishguy-live", "nathalie-live"])


@EACH
def test_they_are_at_most_a_tenth_of_a_second_behind_by_their_cards(name: str) -> None:
    stream = load_converter(name, device="cpu").stream(sample_rate=48000)
    assert 0 < stream.delays["model"] <= 0.1
    assert stream.delays["step"] <= 0.04
    assert stream.delays["resampling"] < 0.004


@EACH
def test_a_sentence_in_blocks_is_what_it_is_as_a_whole(name: str) -> None:
    voice = load_converter(name, device="cpu")
    given = Audio.open(SENTENCE).resample(22050)
    whole = voice.convert(given, gain_db=6.0).samples
    made = in_blocks(voice.stream(sample_rate=22050, gain_db=6.0), given.samples, [882])
    assert made.shape == whole.shape
    assert np.abs(made - whole).max() <= 1e-4


@pytest.mark.slow
def test_a_minute_from_a_microphone_comes_without_a_gap() -> None:
    with start("nathalie-live", 48000) as process:
        assert process.stderr is not None
        first, late = pace(process, 60, 48000)
        said = process.stderr.read().decode()
    assert process.returncode == 0, said
    assert first < 10  # a process has to start, and to load its model
    assert late < 0.15  # longer than any sample waits for a player that began a moment later
    found = re.search(r": 60\.0 s, at most (\d+) ms from standard input to standard output", said)
    assert found is not None, said
    assert int(found[1]) < 1000
