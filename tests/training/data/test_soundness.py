"""Recordings to learn from: good ones pass, and every planted fault is named with its cure."""

from pathlib import Path

import numpy as np
import pytest
from tests.training.conftest import spoken_wave

from anamorph.errors import InputError
from anamorph_training.data import soundness
from anamorph_training.data.recordings import Recording
from anamorph_training.data.soundness import Soundness, check_recordings, measure

RATE = 22050


def recordings(
    *, count: int = 6, seconds: float = 14, clip: float = 1.0, noise_db: float | None = None
) -> list[Recording]:
    """Return voice-like recordings with pauses, clipped or noisy if asked for."""
    made = []
    for seed in range(count):
        sound = spoken_wave(seed, seconds=seconds)
        times = np.arange(len(sound)) / RATE
        # Syllables of many loudnesses, four a second, and a pause every two seconds.
        loudness = np.random.default_rng(seed).uniform(0.2, 1, int(4 * seconds) + 1)
        sound = sound * loudness[(4 * times).astype(int)] * (times % 2 > 0.4)
        sound = np.clip(clip * sound / np.abs(sound).max(), -1, 1)
        generator = np.random.default_rng(seed)
        level = 1e-3 if noise_db is None else np.sqrt(np.mean(sound**2)) * 10 ** (noise_db / 20)
        sound = sound + generator.normal(0, level, len(sound))
        pulses = np.rint(0.9 * sound / np.abs(sound).max() * 32767).astype(np.int16)
        made.append(Recording(pulses, RATE / 2, Path("voice") / f"{seed}.wav"))
    return made


def check(given: list[Recording]) -> str:
    lines: list[str] = []
    check_recordings(given, one_speaker=False, report=lines.append)
    (line,) = lines
    return line


def test_good_recordings_pass_and_are_told_of() -> None:
    line = check(recordings())
    assert line.startswith("voice: 1.1 minutes of speech, 0.0")


def test_too_little_speech_is_refused() -> None:
    found = measure(recordings(count=2, seconds=12), one_speaker=False)
    assert found.seconds == pytest.approx(2 * 12 * 0.8, rel=0.05)  # a fifth is pauses
    with pytest.raises(InputError, match=r"s of speech, 60 s are the least.*record more"):
        check(recordings(count=2))


def test_clipped_recordings_are_refused() -> None:
    with pytest.raises(InputError, match=r"at the peak.*clipped; record with less gain"):
        check(recordings(clip=3))


def test_noisy_recordings_are_refused() -> None:
    with pytest.raises(InputError, match=r"above the noise.*quieter room"):
        check(recordings(noise_db=-10))


def test_several_speakers_are_refused_where_one_is_wanted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(soundness, "find_spec", lambda name: object())
    monkeypatch.setattr(soundness, "_likeness", lambda recordings: 0.8)
    check(recordings())  # many may be the source
    with pytest.raises(InputError, match=r"0\.80 alike.*take out what others say"):
        check_recordings(recordings(), one_speaker=True, report=lambda line: None)


def test_voices_are_told_apart() -> None:
    pytest.importorskip("resemblyzer", reason="the extra evaluate is not installed")
    one = [recordings(count=1, seconds=6)[0]] * 4
    assert measure(one, one_speaker=True).likeness == pytest.approx(1, abs=1e-3)
    several = measure(recordings(count=4, seconds=6), one_speaker=True).likeness
    assert several is not None
    assert several < 0.97


def test_every_fault_is_named_at_once() -> None:
    faults = Soundness(seconds=10, clipped=0.02, snr_db=5, likeness=0.5).faults()
    assert len(faults) == 4
    assert not Soundness(seconds=700, clipped=1e-4, snr_db=30, likeness=0.9).faults()
