"""Whether recordings are fit to learn a voice from, before hours go into them.

The thresholds lie between what studio and LibriSpeech recordings have and what planted faults have:
a gain of 3 into full scale, white noise 10 dB below the voice, two speakers in one folder.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anamorph.audio import Audio
from anamorph.errors import InputError
from anamorph_training.data.recordings import Recording

LEAST_SECONDS: Final = 60.0  # of speech; below, nothing good is learnt
ADVISED_SECONDS: Final = 600.0
GREATEST_CLIPPED: Final = 1e-3  # share; clean recordings have 1e-5 to 1.3e-4, planted ones 3.5e-3
LEAST_SNR_DB: Final = 20.0  # median; clean recordings have 30 to 39, planted ones 16
LEAST_LIKENESS: Final = 0.85  # cosine; one speaker has 0.88 to 0.94, two have 0.82 to 0.84

_FRAME: Final = 512  # samples at 22.05 kHz, 23 ms
_SPEECH_DB: Final = 40.0  # below a recording's loudest frame: no speech
_NEAR_PEAK: Final = 0.99  # of a recording's peak
_PERCENTILES: Final = (5, 95)  # of the levels of frames: noise and speech
_SPEAKERS: Final = 16  # recordings that are compared by voice


@dataclass(frozen=True)
class Soundness:
    """What was found in the recordings of one folder.

    Attributes:
        seconds: Of speech, pauses left out.
        clipped: Share of samples within 1 % of their recording's peak.
        snr_db: Level of speech over that of pauses, median of the recordings.
    """

    seconds: float
    clipped: float
    snr_db: float

    def faults(self) -> list[str]:
        """Say what is wrong, one sentence each, with its cure."""
        found = []
        if self.clipped > GREATEST_CLIPPED:
            found.append(
                f"{self.clipped:.1%} of the samples are at the peak, {GREATEST_CLIPPED:.1%} is "
                "the most: they are clipped; record with less gain"
            )
        if self.snr_db < LEAST_SNR_DB:
            found.append(
                f"speech is {self.snr_db:.0f} dB above the noise, {LEAST_SNR_DB:.0f} dB is the "
                "least: record in a quieter room, nearer the microphone"
            )
        return found


def measure(recordings: Sequence[Recording]) -> Soundness:
    """Measure recordings, at least one, that are levelled, trimmed and at 22.05 kHz."""
    seconds, clipped, snr = 0.0, [], []
    for one in recordings:
        samples = one.cut(0, len(one.samples))
        size = np.abs(samples)
        clipped.append(float((size >= _NEAR_PEAK * size.max()).mean()))
        levels = _levels(samples)
        quiet, loud = np.percentile(levels, _PERCENTILES)
        snr.append(float(loud - quiet))
        seconds += float((levels > levels.max() - _SPEECH_DB).mean()) * len(samples) / 22_050
    return Soundness(seconds, float(np.mean(clipped)), float(np.median(snr)))


def check_recordings(
    recordings: Sequence[Recording],
    *,
    folders: Sequence[Path],
    one_speaker: bool,
    report: Callable[[str], None],
) -> None:
    """Refuse recordings that no good voice comes of.

    Args:
        recordings: Of one side, as `measure` takes them.
        folders: That they were found in; each is held against what is clipped or noisy, all
            together against the rest.
        one_speaker: Only one person may speak in them; looked at where Resemblyzer is installed.
        report: Told what was found, in one line per folder.

    Raises:
        InputError: They have a fault; every one is named, with its cure.
    """
    seconds, faults = 0.0, []
    for folder, within in _by_folder(recordings, folders).items():
        found = measure(within)
        report(
            f"{folder}: {found.seconds / 60:.1f} minutes of speech, {found.clipped:.2%} clipped, "
            f"{found.snr_db:.0f} dB above the noise"
        )
        seconds += found.seconds
        faults += [f"{folder}: {fault}" for fault in found.faults()]
    together = ", ".join(map(str, folders))
    if seconds < LEAST_SECONDS:
        faults.append(
            f"{together}: {seconds:.0f} s of speech, {LEAST_SECONDS:.0f} s are the least and "
            f"{ADVISED_SECONDS / 60:.0f} minutes do well: record more"
        )
    if one_speaker and find_spec("resemblyzer"):
        likeness = measure_likeness(recordings)
        report(f"{together}: voices {likeness:.2f} alike")
        if likeness < LEAST_LIKENESS:
            faults.append(
                f"{together}: the recordings' voices are {likeness:.2f} alike, "
                f"{LEAST_LIKENESS:.2f} is the least for one speaker: take out what others say"
            )
    if faults:
        raise InputError(f"{'; '.join(faults)}. To train all the same, give --accept-faults")


def _by_folder(
    recordings: Sequence[Recording], folders: Sequence[Path]
) -> dict[Path, list[Recording]]:
    """Return what was found in each folder, where anything was, as `find_recordings` finds it."""
    found: dict[Path, list[Recording]] = {}
    for one in recordings:
        folder = next(folder for folder in folders if one.source.is_relative_to(folder))
        found.setdefault(folder, []).append(one)
    return found


def _levels(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the level of each frame in dB, at least one."""
    whole = max(len(samples) // _FRAME, 1) * _FRAME
    frames = np.pad(samples, (0, max(0, whole - len(samples))))[:whole].reshape(-1, _FRAME)
    power: NDArray[np.float64] = np.square(frames, dtype=np.float64).mean(1)
    return 10 * np.log10(power + 1e-12)


def measure_likeness(recordings: Sequence[Recording]) -> float:
    """Return the mean cosine similarity of recordings to their mean speaker.

    Raises:
        UnavailableError: Resemblyzer is not installed.
    """
    from anamorph_training.evaluation.voice import embed

    chosen = recordings[:: max(1, len(recordings) // _SPEAKERS)][:_SPEAKERS]
    speakers = []
    for one in chosen:
        try:
            speakers.append(embed(Audio(one.cut(0, len(one.samples)), 22_050)))
        except InputError:
            continue  # it holds no speech
    if not speakers:
        return 0.0
    mean = np.mean(speakers, axis=0)
    return float(np.mean([one @ mean for one in speakers]) / np.linalg.norm(mean))
