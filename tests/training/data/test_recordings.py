"""Recordings: found, levelled, trimmed, kept; what cannot be used is told."""

from pathlib import Path

import numpy as np
import pytest
from tests.training.conftest import spoken_wave

from anamorph.errors import InputError, OutputError
from anamorph.loudness import LEVEL
from anamorph_training.data.recordings import (
    Recording,
    find_recordings,
    level,
    prepare_recordings,
    recordings_digest,
)
from anamorph_training.data.speech import write_wav

RATE = 22050


def prepare(files: list[Path], folder: Path, told: list[str] | None = None) -> list[Recording]:
    report = (told if told is not None else []).append
    return prepare_recordings(files, sample_rate=RATE, cache=folder / "cache", report=report)


def test_speech_comes_to_one_level_whatever_its_loudness() -> None:
    voice = spoken_wave(0, seconds=1)
    quiet, loud = level(voice * np.float32(0.02)), level(voice)
    assert np.allclose(quiet, loud, atol=2e-4)
    assert np.sqrt(np.mean(loud**2)) == pytest.approx(LEVEL, rel=0.05)


def test_a_peak_never_clips() -> None:
    clicks = np.zeros(RATE, np.float32)
    clicks[::1000] = 0.5
    assert np.abs(level(clicks, target=0.5)).max() <= 0.99


def test_silence_at_the_ends_goes_and_pauses_stay() -> None:
    voice, silence = spoken_wave(0, seconds=0.5), np.zeros(RATE, np.float32)
    whole = np.concatenate([silence, voice, silence[: RATE // 2], voice, silence])
    assert len(level(whole)) == pytest.approx(1.5 * RATE, abs=2048)


def test_silence_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing but silence"):
        level(np.zeros(RATE, np.float32))


def test_rates_channels_and_bandwidth(tmp_path: Path) -> None:
    import soundfile

    voice = spoken_wave(0, seconds=1, rate=16000)
    soundfile.write(tmp_path / "a.flac", np.stack([voice, voice], 1), 16000)
    soundfile.write(tmp_path / "b.wav", spoken_wave(1, seconds=1, rate=48000), 48000)
    one, other = prepare(find_recordings([tmp_path]), tmp_path)
    assert one.samples.dtype == np.int16
    assert len(one.samples) == pytest.approx(RATE, abs=600)
    assert (one.bandwidth, other.bandwidth) == (8000, RATE / 2)


def test_what_was_decoded_is_kept_until_the_file_changes(tmp_path: Path) -> None:
    folder = tmp_path / "voices"
    folder.mkdir()
    write_wav(folder / "a.wav", spoken_wave(0, seconds=0.5), RATE)
    first = prepare([folder / "a.wav"], tmp_path)[0].samples
    (kept,) = (tmp_path / "cache").iterdir()
    before = kept.stat().st_mtime_ns
    assert np.array_equal(prepare([folder / "a.wav"], tmp_path)[0].samples, first)
    assert kept.stat().st_mtime_ns == before
    write_wav(folder / "a.wav", spoken_wave(1, seconds=0.6), RATE)
    assert len(prepare([folder / "a.wav"], tmp_path)[0].samples) > len(first)


def test_bad_files_are_told_and_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "voices"
    folder.mkdir()
    write_wav(folder / "a.wav", spoken_wave(0, seconds=0.5), RATE)
    write_wav(folder / "silent.wav", np.zeros(RATE, np.float32), RATE)
    (folder / "broken.flac").write_bytes(b"fLaC and no more")
    told: list[str] = []
    assert len(prepare(find_recordings([folder]), tmp_path, told)) == 1
    assert sum("left out" in line for line in told) == 2
    (folder / "a.wav").unlink()
    with pytest.raises(InputError, match=r"none of 2 recordings can be used \(the first: .*broken"):
        prepare(find_recordings([folder]), tmp_path)


def test_folders_that_hold_nothing(tmp_path: Path) -> None:
    for folders, message in [
        ((), "no folder of recordings"),
        ((tmp_path / "none",), "no such folder"),
        ((tmp_path,), "holds no recordings"),
    ]:
        with pytest.raises(InputError, match=message):
            find_recordings(folders)
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="choose another --cache"):
        prepare_recordings([], sample_rate=RATE, cache=tmp_path / "file/x", report=print)


def test_a_digest_is_of_contents_alone(tmp_path: Path) -> None:
    one, two, three = (tmp_path / name for name in "abc")
    for path, text in ((one, "x"), (two, "y"), (three, "x")):
        path.write_text(text)
    assert recordings_digest([one, two]) == recordings_digest([two, three])
    assert recordings_digest([one, two]) != recordings_digest([one, three])


def test_a_cut_beyond_the_ends_is_silent_there() -> None:
    recording = Recording(np.full(10, 32767, np.int16), 8000.0, Path("x"))
    assert recording.cut(-2, 4).tolist() == [0, 0, 1, 1]
    assert recording.cut(8, 4).tolist() == [1, 1, 0, 0]
    assert recording.cut(40, 2).tolist() == [0, 0]
