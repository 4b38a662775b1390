"""Converting recordings: exact in chunks, as long as what comes in, in files of any kind."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.runtime.test_limiter import true_peak
from tests.runtime.tiny_voices import RATE, tiny_converter

import anamorph
from anamorph.audio import Audio
from anamorph.converter import VoiceConverter
from anamorph.errors import InputError, OutputError
from anamorph.limiter import CEILING


@pytest.fixture(scope="module")
def voice(tmp_path_factory: pytest.TempPathFactory) -> VoiceConverter:
    path = tiny_converter(tmp_path_factory.mktemp("voice") / "tiny.onnx", kernel=31)
    loaded: VoiceConverter = anamorph.load(path, device="cpu", threads=1)
    return loaded


@pytest.fixture(scope="module")
def copier(tmp_path_factory: pytest.TempPathFactory) -> VoiceConverter:
    """A converter whose one tap copies what it hears."""
    path = tiny_converter(tmp_path_factory.mktemp("voice") / "copy.onnx", kernel=1)
    loaded: VoiceConverter = anamorph.load(path, device="cpu", threads=1)
    return loaded


@pytest.fixture(scope="module")
def choosy(tmp_path_factory: pytest.TempPathFactory) -> VoiceConverter:
    """A converter that wants multiples of 8 samples, 100 at least."""
    path = tmp_path_factory.mktemp("voice") / "choosy.onnx"
    tiny_converter(path, kernel=31, size_multiple=8, minimum_size=100)
    loaded: VoiceConverter = anamorph.load(path, device="cpu", threads=1)
    run = loaded._session.run

    def check(batch: np.ndarray) -> np.ndarray:
        assert batch.shape[1] % 8 == 0
        assert batch.shape[1] >= 100
        result: np.ndarray = run(batch)
        return result

    loaded._session.run = check  # type: ignore[method-assign]
    return loaded


def noise(samples: int, channels: int = 1, scale: float = 0.05) -> np.ndarray:
    made = np.random.default_rng(0).normal(0, scale, (samples, channels)).astype(np.float32)
    return made[:, 0] if channels == 1 else made


def write(path: Path, samples: np.ndarray, rate: int = RATE, **options: Any) -> Path:
    import soundfile

    soundfile.write(path, samples, rate, **options)
    return path


def test_a_recording_in_memory_is_taken_in_blocks(
    copier: VoiceConverter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise every chunk copies all that is left."""
    copied = 0
    concatenate = np.concatenate

    def count(pieces: Any, *, axis: int = 0) -> np.ndarray:
        nonlocal copied
        made = concatenate(pieces, axis=axis)
        copied += made.size
        return made

    audio = Audio(noise(2**20), RATE)
    monkeypatch.setattr(np, "concatenate", count)
    assert len(copier.convert(audio, chunk=2**14).samples) == 2**20
    assert copied < 10 * 2**20


@settings(deadline=None, max_examples=60)
@given(samples=st.integers(1, 900), chunk=st.integers(31, 400))
def test_chunks_of_any_size_give_what_the_whole_gives(
    voice: VoiceConverter, samples: int, chunk: int
) -> None:
    audio = Audio(noise(samples), RATE)
    whole = voice.convert(audio)
    assert whole.samples.shape == (samples,)
    assert np.abs(voice.convert(audio, chunk=chunk).samples - whole.samples).max() <= 1e-4


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000, 192000])
def test_results_are_as_long_as_what_comes_in(copier: VoiceConverter, rate: int) -> None:
    audio = Audio(noise(rate // 3 + 1), rate)
    assert len(copier.convert(audio).samples) == len(audio.samples)
    made = copier.convert(audio, sample_rate=22050)
    assert len(made.samples) == pytest.approx(22050 / 3, abs=2)


def test_a_copier_copies_at_another_rate(copier: VoiceConverter) -> None:
    time = np.arange(48000) / 48000
    tone = (0.1 * np.sin(2 * np.pi * 500 * time)).astype(np.float32)
    made = copier.convert(Audio(tone, 48000)).samples
    assert np.abs(made - tone)[1000:-1000].max() < 1e-3


def test_the_gain_is_undone(copier: VoiceConverter) -> None:
    audio = Audio(noise(RATE, scale=0.001), RATE)
    for gain in (None, 0.0, 20.0):
        made = copier.convert(audio, gain_db=gain)
        assert np.allclose(made.samples, audio.samples, rtol=1e-4, atol=1e-8)


def test_the_model_hears_speech_at_its_level(tmp_path: Path) -> None:
    heard: list[float] = []
    loaded = anamorph.load(tiny_converter(tmp_path / "m.onnx"), device="cpu")
    run = loaded._session.run

    def listen(batch: np.ndarray) -> np.ndarray:
        heard.append(float(batch.std()))
        result: np.ndarray = run(batch)
        return result

    loaded._session.run = listen
    for scale in (0.001, 0.3):
        loaded.convert(Audio(noise(RATE, scale=scale), RATE))
    assert heard == pytest.approx([0.063, 0.063], rel=0.02)


@pytest.mark.parametrize("rate", [8000, 16000, RATE, 44100, 48000, 96000])
def test_loud_voices_are_limited_at_any_rate(tmp_path: Path, rate: int) -> None:
    loud = anamorph.load(tiny_converter(tmp_path / "m.onnx", gain=20), device="cpu")
    audio = Audio(noise(RATE, scale=0.2), RATE)
    made = loud.convert(audio, sample_rate=rate).samples
    assert np.abs(made).max() <= CEILING + 1e-6
    assert true_peak(made[np.newaxis], rate) < 1
    chunked = loud.convert(audio, sample_rate=rate, chunk=3000).samples
    assert np.abs(chunked - made).max() <= 1e-4


def test_channels(voice: VoiceConverter) -> None:
    both = Audio(noise(3000, 2), RATE)
    assert voice.convert(both).samples.shape == (3000,)
    kept = voice.convert(both, keep_channels=True, gain_db=0)
    assert kept.samples.shape == (3000, 2)
    left = voice.convert(Audio(both.samples[:, 0], RATE), gain_db=0)
    assert np.abs(kept.samples[:, 0] - left.samples).max() < 1e-6


def test_opposite_channels_that_are_kept_are_heard_at_their_level(
    copier: VoiceConverter, tmp_path: Path
) -> None:
    left = noise(RATE, scale=0.001)
    report = copier.convert_file(
        Audio(np.stack([left, -left], 1), RATE), tmp_path / "a.wav", keep_channels=True
    )
    assert report.gain_db == pytest.approx(36, abs=0.2)


def test_unbounded_context_runs_whole(voice: VoiceConverter, tmp_path: Path) -> None:
    path = tiny_converter(tmp_path / "m.onnx", kernel=31, context_after=None)
    whole = anamorph.load(path, device="cpu")
    audio = Audio(noise(300_000), RATE)  # longer than a chunk is by itself
    assert np.abs(whole.convert(audio).samples - voice.convert(audio).samples).max() <= 1e-4
    with pytest.raises(InputError, match=r"depends on the whole recording.*give no chunk"):
        whole.convert(audio, chunk=1000)


@settings(deadline=None, max_examples=40)
@given(samples=st.integers(1, 900), chunk=st.sampled_from([None, 131, 250]))
def test_graphs_are_given_lengths_that_they_take(
    choosy: VoiceConverter, voice: VoiceConverter, samples: int, chunk: int | None
) -> None:
    audio = Audio(noise(samples), RATE)
    made = choosy.convert(audio, chunk=chunk)
    assert np.abs(made.samples - voice.convert(audio).samples).max() <= 1e-4


@pytest.mark.parametrize("samples", [1, 2, 10])
def test_the_shortest_recordings(voice: VoiceConverter, samples: int, tmp_path: Path) -> None:
    for rate in (8000, 22050, 192000):
        audio = Audio(np.ones(samples) / 2, rate)
        assert len(voice.convert(audio).samples) == samples
        voice.convert_file(audio, tmp_path / "short.wav", force=True)
        assert len(Audio.open(tmp_path / "short.wav").samples) == samples


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "opus", "mp3"])
def test_files_of_every_kind(copier: VoiceConverter, tmp_path: Path, suffix: str) -> None:
    import soundfile

    source = write(tmp_path / "in.wav", noise(48000, 2), 48000)
    target = tmp_path / f"out.{suffix}"
    report = copier.convert_file(source, target, keep_channels=True)
    with soundfile.SoundFile(target) as file:
        assert (file.samplerate, file.channels) == (48000, 2)
        assert file.frames == pytest.approx(48000, abs=1200 if suffix == "mp3" else 0)
        assert (file.subtype == "OPUS") == (suffix == "opus")
        assert "tiny-voice@1" in file.comment
    assert Audio.open(target).channels == 2
    assert (report.sample_rate, report.channels, report.duration) == (48000, 2, 1)
    assert {entry.name for entry in tmp_path.iterdir()} == {"in.wav", target.name}


@pytest.mark.parametrize(
    ("subtype", "suffix", "expected"),
    [
        ("PCM_16", "wav", "PCM_16"),
        ("PCM_24", "wav", "PCM_24"),
        ("PCM_32", "wav", "PCM_32"),
        ("FLOAT", "wav", "FLOAT"),
        ("FLOAT", "flac", "PCM_24"),
        ("PCM_16", "flac", "PCM_16"),
    ],
)
def test_depth_stays(
    copier: VoiceConverter, tmp_path: Path, subtype: str, suffix: str, expected: str
) -> None:
    import soundfile

    source = write(tmp_path / "in.wav", noise(2000), subtype=subtype)
    copier.convert_file(source, tmp_path / f"out.{suffix}")
    assert soundfile.info(tmp_path / f"out.{suffix}").subtype == expected


def test_a_rate_that_the_format_cannot_hold(copier: VoiceConverter, tmp_path: Path) -> None:
    audio = Audio(noise(9600), 96000)
    assert copier.convert_file(audio, tmp_path / "a.mp3").sample_rate == 48000
    audio = Audio(noise(4410), 44100)
    assert copier.convert_file(audio, tmp_path / "a.opus").sample_rate == 48000
    audio = Audio(noise(9600), 96000)
    with pytest.raises(OutputError, match="mp3 cannot hold 1 channels of 96000 Hz"):
        copier.convert_file(audio, tmp_path / "b.mp3", sample_rate=96000)
    assert not (tmp_path / "b.mp3").exists()


def test_a_depth_that_the_format_has_not(copier: VoiceConverter, tmp_path: Path) -> None:
    audio = Audio(noise(2000), RATE)
    with pytest.raises(OutputError, match="flac has no depth of 32; accepted: 16, 24"):
        copier.convert_file(audio, tmp_path / "a.flac", depth=32)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_recording_is_said_before_its_output(
    copier: VoiceConverter, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("hello")
    with pytest.raises(InputError, match=r"a\.txt: is no recording that can be read"):
        copier.convert_file(tmp_path / "a.txt", tmp_path / "b.txt")


def test_targets_that_are_refused(copier: VoiceConverter, tmp_path: Path) -> None:
    audio = Audio(noise(2000), RATE)
    copier.convert_file(audio, tmp_path / "a.wav")
    before = (tmp_path / "a.wav").read_bytes()
    for target, message in [
        (tmp_path / "a.wav", "exists already"),
        (tmp_path / "a.txt", "suffix names no format"),
        (tmp_path / "no" / "a.wav", "folder does not exist"),
        (tmp_path, "suffix names no format"),
    ]:
        with pytest.raises(OutputError, match=message):
            copier.convert_file(audio, target)
    assert (tmp_path / "a.wav").read_bytes() == before
    copier.convert_file(audio, tmp_path / "a.wav", force=True, gain_db=6)


def test_a_file_that_breaks_off_leaves_nothing(copier: VoiceConverter, tmp_path: Path) -> None:
    import soundfile

    stream = io.BytesIO()
    soundfile.write(stream, noise(300_000), RATE, format="FLAC")
    with pytest.raises(InputError, match="truncated or damaged"):
        copier.convert_file(stream.getvalue()[:200_000], tmp_path / "a.wav")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sample_rate": 4000}, "sample rate 4000: 8000 to 192000"),
        ({"gain_db": 200.0}, "gain 200.0 dB"),
        ({"gain_db": float("nan")}, "gain nan dB"),
        ({"chunk": 5}, "chunk of 5: tiny-voice needs at least 31"),
    ],
)
def test_options_that_make_no_sense(
    voice: VoiceConverter, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        voice.convert(Audio(noise(900), RATE), **options)


def test_what_is_converted_tells_its_origin(voice: VoiceConverter) -> None:
    assert voice.convert(Audio(noise(900), RATE)).origin == "tiny-voice@1"
    with pytest.raises(InputError, match=r"give Audio\(samples, sample_rate\)"):
        voice.convert(noise(900))  # type: ignore[arg-type]


def test_a_constant_comes_out_finite(voice: VoiceConverter) -> None:
    made = voice.convert(Audio(np.full(4000, 0.5), RATE))
    assert np.isfinite(made.samples).all()


def test_progress_rises_to_one(voice: VoiceConverter) -> None:
    seen: list[float] = []
    voice.convert(Audio(noise(3000), RATE), chunk=500, progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1
