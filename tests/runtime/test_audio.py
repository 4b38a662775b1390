"""Recordings: what is read, what is refused, and what becomes of rates and channels."""

import io
from pathlib import Path

import numpy as np
import pytest

import anamorph
from anamorph.audio import Audio
from anamorph.audio_reader import SUFFIXES
from anamorph.errors import InputError, OutputError

RATE = 22050


def tone(seconds: float = 1.0, rate: int = RATE, frequency: float = 440.0) -> np.ndarray:
    time = np.arange(round(seconds * rate)) / rate
    wave: np.ndarray = (0.5 * np.sin(2 * np.pi * frequency * time)).astype(np.float32)
    return wave


def encode(samples: np.ndarray, kind: str, rate: int = RATE, subtype: str | None = None) -> bytes:
    import soundfile

    stream = io.BytesIO()
    soundfile.write(stream, samples, rate, format=kind, subtype=subtype)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("kind", "subtype", "error"),
    [
        ("WAV", "PCM_16", 4e-5),
        ("WAV", "PCM_24", 1e-6),
        ("WAV", "PCM_32", 1e-7),
        ("WAV", "FLOAT", 0),
        ("FLAC", "PCM_24", 1e-6),
        ("OGG", "VORBIS", 0.02),
        ("MP3", "MPEG_LAYER_III", 0.02),
    ],
)
def test_formats(kind: str, subtype: str, error: float, tmp_path: Path) -> None:
    data = encode(tone(), kind, subtype=subtype)
    path = tmp_path / f"a.{kind.lower()}"
    path.write_bytes(data)
    for source in (data, path, str(path)):
        audio = Audio.open(source)
        assert (audio.sample_rate, audio.channels) == (RATE, 1)
        assert len(audio.samples) == pytest.approx(RATE, abs=1200)
        inner = slice(5000, 15000)
        assert np.abs(audio.samples[inner] - tone()[inner]).max() <= error


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000, 96000, 192000])
def test_any_rate_is_brought_to_another(rate: int) -> None:
    audio = Audio(tone(1, rate), rate).resample(RATE)
    assert (audio.sample_rate, len(audio.samples)) == (RATE, RATE)
    assert np.abs(audio.samples - tone())[500:-500].max() < 1e-3


def test_channels_are_averaged() -> None:
    both = np.stack([tone(), np.zeros(RATE, np.float32)], axis=1)
    audio = Audio.open(encode(both, "WAV", subtype="FLOAT"))
    assert audio.channels == 2
    assert np.allclose(audio.mono().samples, tone() / 2)
    assert audio.resample(RATE) is audio
    assert audio.resample(44100).samples.shape == (44100, 2)


def test_one_sample_is_a_recording() -> None:
    assert len(Audio(np.ones(1), 48000).resample(8000).samples) == 1
    assert Audio.open(encode(np.ones(1), "WAV")).duration == 1 / RATE


def test_samples_are_frozen_and_a_copy() -> None:
    given = tone()
    audio = Audio(given, RATE)
    given[:] = 0
    assert audio.samples.max() > 0.4
    with pytest.raises(ValueError, match="read-only"):
        audio.samples[0] = 1
    assert anamorph.Audio is Audio


@pytest.mark.parametrize(
    ("samples", "rate", "message"),
    [
        (np.zeros(0), RATE, "one of each at least"),
        (np.zeros((4, 0)), RATE, "one of each at least"),
        (np.zeros((4, 2, 2)), RATE, "accepted are"),
        (np.zeros(4), 4000, "8000 to 192000"),
        (np.array([0, 0, np.nan]), RATE, "sample 2 is NaN or infinite"),
        (np.array([[0, np.inf], [0, 0]]), RATE, "sample 0 is NaN or infinite"),
    ],
)
def test_what_is_no_recording(samples: np.ndarray, rate: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Audio(samples, rate)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty, 0 bytes"),
        (b"not sound at all" * 20, "no recording that can be read"),
        (encode(tone(), "AIFF"), "AIFF.*accepted are WAV, FLAC, OGG, Opus and MP3"),
        (encode(tone(), "WAV", 6000), "6000 samples per second"),
        (encode(np.array([0, np.nan]), "WAV", subtype="FLOAT"), "sample 1 is NaN"),
        (encode(tone(), "FLAC")[:5000], "truncated or damaged"),
        (encode(np.zeros(0), "WAV"), "holds no sound"),
    ],
    ids=["empty", "text", "aiff", "rate", "nan", "truncated", "nothing"],  # data hold their time
)
def test_files_that_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Audio.open(data)


def test_a_flac_whose_length_nobody_knew() -> None:
    """Encoders that write into a pipe leave the length at 0, for they cannot go back."""
    given = np.random.default_rng(0).normal(0, 0.05, 200_000)
    data = bytearray(encode(given, "FLAC"))
    stream_info = int.from_bytes(data[18:26], "big")
    assert stream_info % 2**36 == len(given)
    data[18:26] = (stream_info - len(given)).to_bytes(8, "big")
    assert np.abs(Audio.open(bytes(data)).samples - given).max() < 4e-5
    with pytest.raises(InputError, match="truncated or damaged"):
        Audio.open(bytes(data[: len(data) // 2]))


def test_places_that_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        Audio.open(tmp_path / "none.wav")
    with pytest.raises(InputError, match="is a folder"):
        Audio.open(tmp_path)


def test_suffixes_are_lower_case_with_a_dot() -> None:
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in SUFFIXES)


def test_a_recording_is_saved_with_its_origin(tmp_path: Path) -> None:
    import soundfile

    both = Audio(np.random.default_rng(0).normal(0, 0.1, (4000, 2)), 48000, "nathalie@1")
    both.save(tmp_path / "a.wav", depth=24)
    with soundfile.SoundFile(tmp_path / "a.wav") as file:
        assert (file.subtype, file.channels, file.samplerate) == ("PCM_24", 2, 48000)
        assert "nathalie@1" in file.comment
    assert np.abs(Audio.open(tmp_path / "a.wav").samples - both.samples).max() < 1e-6
    assert both.mono().origin == both.resample(16000).origin == "nathalie@1"
    with pytest.raises(OutputError, match="exists already"):
        both.save(tmp_path / "a.wav")
    both.save(tmp_path / "a.wav", force=True, depth="float")
    Audio(np.zeros(1000), 44100).save(tmp_path / "b", format="flac")
    assert soundfile.info(tmp_path / "b").format == "FLAC"
    with pytest.raises(OutputError, match="suffix names no format"):
        both.save(tmp_path / "b.txt")
