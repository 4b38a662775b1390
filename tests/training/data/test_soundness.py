"""Recordings to learn from: good ones pass, and every planted fault is named with its cure."""

from pathlib import Path

import numpy as np
import pytest
from tests.training.conftest import spoken_wave

from anamorph.audio import Audio
from anamorph.errors import InputError
from anamorph_training.data.perturbation import Perturbation, perturb
from anamorph_training.data.recordings import Recording
from anamorph_training.data.soundness import (
    LEAST_LIKENESS,
    Soundness,
    check_recordings,
    measure,
    measure_likeness,
)

RATE = 22050


def recordings(
    *,
    folder: str = "voice",
    count: int = 6,
    seconds: float = 14,
    clip: float = 1.0,
    noise_db: float | None = None,
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
        made.append(record(0.9 * sound / np.abs(sound).max(), Path(folder, "deep", f"{seed}.wav")))
    return made


def record(sound: np.ndarray, source: Path) -> Recording:
    return Recording(np.rint(sound * 32767).astype(np.int16), RATE / 2, source)


def check(given: list[Recording], *folders: str, one_speaker: bool = False) -> list[str]:
    lines: list[str] = []
    check_recordings(
        given,
        folders=[Path(folder) for folder in folders or ("voice",)],
        one_speaker=one_speaker,
        report=lines.append,
    )
    return lines


def test_good_recordings_pass_and_are_told_of() -> None:
    (line,) = check(recordings())
    assert line.startswith("voice: 1.1 minutes of speech, 0.0")


def test_too_little_speech_is_refused() -> None:
    found = measure(recordings(count=2, seconds=12))
    assert found.seconds == pytest.approx(2 * 12 * 0.8, rel=0.05)  # a fifth is pauses
    with pytest.raises(InputError, match=r"s of speech, 60 s are the least.*record more"):
        check(recordings(count=2))


def test_clipped_recordings_are_refused() -> None:
    with pytest.raises(InputError, match=r"at the peak.*clipped; record with less gain"):
        check(recordings(clip=3))


def test_noisy_recordings_are_refused() -> None:
    with pytest.raises(InputError, match=r"above the noise.*quieter room"):
        check(recordings(noise_db=-10))


def test_a_small_folder_does_not_hide_behind_a_large_one() -> None:
    many = recordings(folder="many")
    for fault, message in (
        (recordings(folder="me", count=1, seconds=3, clip=3), "at the peak"),
        (recordings(folder="me", count=1, seconds=3, noise_db=-10), "above the noise"),
    ):
        with pytest.raises(InputError, match=f"^me: .*{message}"):
            check([*many, *fault], "me", "many")


def test_folders_need_the_least_of_speech_together() -> None:
    given = recordings(folder="a", count=3) + recordings(folder="b", count=3)
    assert [line.split(":")[0] for line in check(given, "none-usable", "a", "b")] == ["a", "b"]
    with pytest.raises(InputError, match=r"^a, b: 4\d s of speech, 60 s are the least"):
        check(given[1:5], "a", "b")


def sentences(*changes: Perturbation) -> list[Recording]:
    """Return the halves of a recorded sentence, in as many voices as there are changes."""
    audio = Audio.open(Path(__file__).parents[3] / "docs/samples/sentence.flac").mono()
    halves = np.array_split(audio.resample(RATE).samples.reshape(-1), 2)
    copies = [perturb(half, RATE, changes) for half in halves]
    return [record(copy, Path("voice/a.flac")) for both in copies for copy in both]


def test_several_speakers_are_refused_where_one_is_wanted() -> None:
    for name in ("resemblyzer", "pyworld"):
        pytest.importorskip(name, reason="the extra evaluate is not installed")
    low = Perturbation(pitch=0.55, formants=0.75, tilt_db=0)
    high = Perturbation(pitch=1.9, formants=1.35, tilt_db=0)
    for one in (low, high):
        assert measure_likeness(sentences(one)) > LEAST_LIKENESS
    several = sentences(low, high)
    with pytest.raises(InputError, match=r"voice: .* 0\.8\d alike.*take out what others say"):
        check(several, one_speaker=True)
    with pytest.raises(InputError) as found:  # many may be the source
        check(several)
    assert "alike" not in str(found.value)


def test_every_fault_is_named_at_once() -> None:
    assert len(Soundness(seconds=10, clipped=0.02, snr_db=5).faults()) == 2
    assert not Soundness(seconds=10, clipped=1e-4, snr_db=30).faults()
    with pytest.raises(InputError, match=r"at the peak.*least and.*--accept-faults"):
        check(recordings(count=1, clip=3))
