"""Streams: whatever the blocks, what comes out is what the whole recording gives."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.runtime.test_converter import noise
from tests.runtime.tiny_voices import RATE, tiny_converter

import anamorph
from anamorph.audio import Audio
from anamorph.converter import VoiceConverter
from anamorph.errors import InputError
from anamorph.limiter import CEILING
from anamorph.stream import VoiceStream


def load(path: Path, **card: int | None) -> VoiceConverter:
    tiny_converter(path, **{"kernel": 31, **card})  # type: ignore[arg-type]
    voice: VoiceConverter = anamorph.load(path, device="cpu", threads=1)
    return voice


@pytest.fixture(scope="module")
def voice(tmp_path_factory: pytest.TempPathFactory) -> VoiceConverter:
    return load(tmp_path_factory.mktemp("voice") / "tiny.onnx", alignment=8)


@pytest.fixture(scope="module")
def choosy(tmp_path_factory: pytest.TempPathFactory) -> VoiceConverter:
    path = tmp_path_factory.mktemp("voice") / "choosy.onnx"
    return load(path, size_multiple=6, alignment=4, minimum_size=100)


def in_blocks(stream: VoiceStream, samples: np.ndarray, sizes: list[int]) -> np.ndarray:
    made: list[np.ndarray] = []
    start = 0
    while start < len(samples):
        block = samples[start : start + sizes[len(made) % len(sizes)]]
        made.append(stream.push(block))
        start += len(block)
    return np.concatenate([*made, stream.flush()])


@settings(deadline=None, max_examples=60)
@given(
    samples=st.integers(1, 4000),
    sizes=st.lists(st.integers(1, 900), min_size=1, max_size=5),
    gain_db=st.sampled_from([0.0, 12.0, 30.0]),
    which=st.sampled_from(["voice", "choosy"]),
)
def test_blocks_of_any_size_give_what_the_whole_gives(
    voice: VoiceConverter,
    choosy: VoiceConverter,
    samples: int,
    sizes: list[int],
    gain_db: float,
    which: str,
) -> None:
    converter = {"voice": voice, "choosy": choosy}[which]
    audio = Audio(noise(samples, scale=0.3), RATE)  # loud enough for the limiter
    whole = converter.convert(audio, gain_db=gain_db).samples
    made = in_blocks(converter.stream(gain_db=gain_db), audio.samples, sizes)
    assert made.shape == whole.shape
    assert np.abs(made - whole).max() <= 1e-4


def test_samples_one_at_a_time(voice: VoiceConverter) -> None:
    audio = Audio(noise(3000), RATE)
    made = in_blocks(voice.stream(), audio.samples, [1])
    assert np.abs(made - voice.convert(audio, gain_db=0).samples).max() <= 1e-4


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000, 192000])
def test_any_rate_is_a_quicker_resampler_away(voice: VoiceConverter, rate: int) -> None:
    import soxr

    slow = noise(3000)
    samples = soxr.resample(slow, 6000, rate, quality="VHQ")
    made = in_blocks(voice.stream(sample_rate=rate), samples, [rate // 100])
    whole = voice.convert(Audio(samples, rate), gain_db=0).samples
    assert made.shape == whole.shape
    inner = slice(rate // 50, -rate // 50)
    assert np.abs(made - whole)[inner].max() < 1e-3


def test_lengths_that_a_graph_wants_are_part_of_the_latency(choosy: VoiceConverter) -> None:
    stream, made, behind = choosy.stream(), 0, 0
    for taken in range(1, 4000):
        made += len(stream.push(noise(1)))
        behind = max(behind, taken - made)
    assert behind <= stream.latency * RATE + 1


@pytest.mark.parametrize("rate", [8000, RATE, 48000])
def test_what_came_in_a_latency_ago_is_out(voice: VoiceConverter, rate: int) -> None:
    stream, samples = voice.stream(sample_rate=rate), noise(rate)
    given = made = 0
    behind = 0.0
    while given < rate:
        made += len(stream.push(samples[given : given + 50]))
        given += 50
        behind = max(behind, (given - made) / rate)
    assert behind <= stream.latency + 1 / RATE + 1 / rate
    assert behind > stream.latency - 60 / rate - 2 / RATE  # no more is told than there is
    assert stream.delays["model"] == pytest.approx(15 / RATE)
    assert 0.03 < stream.delays["step"] <= 0.04
    assert (stream.delays["resampling"] == 0) == (rate == RATE)
    assert stream.latency == sum(stream.delays.values())


def test_a_stream_begins_anew_after_its_end(voice: VoiceConverter) -> None:
    stream, samples = voice.stream(), noise(2500)
    first = in_blocks(stream, samples, [700])
    assert np.array_equal(in_blocks(stream, samples, [700]), first)
    assert len(stream.flush()) == 0


def test_nothing_is_kept_of_what_is_past(voice: VoiceConverter) -> None:
    stream, block = voice.stream(sample_rate=48000), noise(1920)
    held = []
    for _ in range(200):
        stream.push(block)
        held.append(sum(len(one) for one in stream._kept) + len(stream._out._kept))
    assert max(held[100:]) <= max(held[:100])


def test_channels_are_averaged(voice: VoiceConverter) -> None:
    both = noise(3000, 2)
    made = in_blocks(voice.stream(), both, [640])
    assert np.abs(made - in_blocks(voice.stream(), both.mean(1), [640])).max() < 1e-6


def test_loud_streams_are_limited(tmp_path: Path) -> None:
    tiny_converter(tmp_path / "m.onnx", gain=20)
    stream = anamorph.load(tmp_path / "m.onnx", device="cpu").stream(sample_rate=48000)
    made = in_blocks(stream, noise(20_000, scale=0.2), [480])
    assert 0.8 < np.abs(made).max() <= CEILING + 1e-6


def test_empty_blocks_change_nothing(voice: VoiceConverter) -> None:
    stream = voice.stream()
    assert len(stream.push(np.zeros(0))) == 0
    assert len(stream.push(np.zeros((0, 2)))) == 0
    assert len(stream.flush()) == 0


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (np.zeros((2, 2, 2)), r"block of shape \(2, 2, 2\)"),
        (np.zeros((5, 0)), r"block of shape \(5, 0\)"),
        (np.float32(1), r"block of shape \(\)"),
        (np.array([0, np.nan]), "block.*NaN"),
        (np.array([0, 300], np.int16), "block of int16: accepted are floats"),
    ],
)
def test_blocks_that_are_refused(voice: VoiceConverter, block: np.ndarray, message: str) -> None:
    stream = voice.stream()
    stream.push(noise(100))
    with pytest.raises(InputError, match=message):
        stream.push(block)
    assert len(stream.flush()) == 100


def test_options_that_make_no_sense(voice: VoiceConverter, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="sample rate 4000: 8000 to 192000"):
        voice.stream(sample_rate=4000)
    with pytest.raises(InputError, match="gain 200"):
        voice.stream(gain_db=200)
    with pytest.raises(InputError, match="depends on the whole recording"):
        load(tmp_path / "m.onnx", context_after=None).stream()
