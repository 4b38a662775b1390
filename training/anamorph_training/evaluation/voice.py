"""Figures of speech: distortion, pitch, speaker, quality; from the extra ``evaluate``."""

import contextlib
import io
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from anamorph.audio import Audio
from anamorph.errors import InputError
from anamorph_training.data.perturbation import load_world
from anamorph_training.data.voices import SAMPLE_RATE

_DNSMOS_RATE: Final = 16_000
_ORDER: Final = 24  # of the mel-cepstrum
_WARPING: Final = 0.455  # of an all-pass filter at 22.05 kHz that comes near the mel scale
_FRAME_MS: Final = 5.0
_PITCH_RANGE: Final = (60.0, 500.0)  # Hz
_QUIET_DB: Final = 40.0  # below the loudest frame: no speech
_DECIBELS: Final = 10 / np.log(10)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Features:
    """What is measured of one recording.

    Attributes:
        name: Of its file, without suffix.
        cepstrum: float64 (frames, 24), mel-cepstrum without its first coefficient, of the frames
            that hold speech, 5 ms apart.
        pitch: float64 (frames,), Hz of the same frames; 0 where unvoiced.
        embedding: float32 (256,), of the speaker, of length 1.
        dnsmos: Overall quality from 1 to 5, as people are predicted to judge it.
    """

    name: str
    cepstrum: Floats
    pitch: Floats
    embedding: NDArray[np.float32]
    dnsmos: float

    @property
    def median_pitch(self) -> float:
        """Median of the voiced frames in Hz; NaN where there is none."""
        voiced = self.pitch[self.pitch > 0]
        return float(np.median(voiced)) if len(voiced) else float("nan")


@dataclass(frozen=True)
class Score:
    """One converted recording beside what was wanted.

    Attributes:
        name: Of its file.
        distortion: dB, from the same sentence by the target; NaN where there is none.
        pitch_error: Root mean square of the difference to its pitch, in semitones.
        pitch_correlation: Of both logarithms of pitch.
        median_pitch: Hz.
        pitch_distance: Semitones of it above the median over all of the target's recordings.
        to_target: Cosine similarity to the target's speaker.
        to_source: To the source's speaker; NaN where no source is given.
        dnsmos: Overall, 1 to 5.
    """

    name: str
    distortion: float
    pitch_error: float
    pitch_correlation: float
    median_pitch: float
    pitch_distance: float
    to_target: float
    to_source: float
    dnsmos: float


def measure_recording(path: Path) -> Features:
    """Take every figure of one recording.

    Raises:
        InputError: It cannot be read, or holds no speech.
        UnavailableError: The extra ``evaluate`` is not installed.
    """
    return measure_audio(path.stem, Audio.open(path))


def measure_audio(name: str, audio: Audio) -> Features:
    """Take every figure of one recording in memory.

    Raises:
        InputError: It holds no speech.
        UnavailableError: The extra ``evaluate`` is not installed.
    """
    mono = audio.mono()
    cepstrum, pitch = analyse(mono)
    return Features(name, cepstrum, pitch, embed(mono), dnsmos(mono))


def analyse(audio: Audio) -> tuple[Floats, Floats]:
    """Return mel-cepstrum and pitch of the frames that hold speech, as `Features` has them.

    The spectral envelope is WORLD's CheapTrick, the pitch its Harvest; the envelope becomes a
    mel-cepstrum by the all-pass transform of Tokuda et al., 1994.

    Raises:
        InputError: No frame holds speech.
    """
    pyworld = load_world()
    samples = audio.resample(SAMPLE_RATE).samples.astype(np.float64)
    least, greatest = _PITCH_RANGE
    pitch, times = pyworld.harvest(
        samples, SAMPLE_RATE, f0_floor=least, f0_ceil=greatest, frame_period=_FRAME_MS
    )
    envelope = pyworld.cheaptrick(samples, pitch, times, SAMPLE_RATE)
    cepstrum = mel_cepstrum(envelope)
    power = np.log10(np.maximum(envelope.mean(1), 1e-16)) * 10
    speech = power > power.max() - _QUIET_DB
    if not speech.any() or power.max() < -120:
        raise InputError("a recording holds no speech; give recordings of a voice")
    return cepstrum[speech, 1:], np.where(speech, pitch, 0)[speech]


def mel_cepstrum(envelope: Floats, *, order: int = _ORDER, warping: float = _WARPING) -> Floats:
    """Turn power envelopes (frames, bins) into mel-cepstra (frames, order + 1)."""
    cepstrum = np.fft.irfft(np.log(np.maximum(envelope, 1e-16)), axis=1)
    half = cepstrum[:, : envelope.shape[1]].copy()
    half[:, 0] /= 2
    result: Floats = half @ warp_matrix(envelope.shape[1], order, warping).T
    return result


@cache
def warp_matrix(length: int, order: int, warping: float) -> Floats:
    """Return what turns a cepstrum into one on a warped frequency axis.

    Oppenheim and Johnson, "Discrete representation of signals", 1972, as SPTK's ``freqt``.

    Returns:
        float64 (order + 1, length).
    """
    matrix = np.zeros((order + 1, length))
    matrix[0, 0] = 1
    for column in range(1, length):  # z ** -1 becomes an all-pass filter: one more factor each
        before = matrix[:, column - 1]
        matrix[0, column] = warping * before[0]
        matrix[1, column] = (1 - warping**2) * before[0] + warping * before[1]
        for row in range(2, order + 1):
            matrix[row, column] = before[row - 1] + warping * (
                before[row] - matrix[row - 1, column]
            )
    return matrix


def compare(one: Features, other: Features) -> tuple[float, float, float]:
    """Compare the same sentence by two recordings, aligned by dynamic time warping.

    Returns:
        Mel-cepstral distortion in dB (Kubichek, 1993: 10 / ln 10 times the root of twice the
        squared difference, averaged over the path; coefficients 1 to 24), root mean square
        difference of pitch in semitones and correlation of its logarithm, both over the frames
        that are voiced in both; NaN where there are fewer than two.
    """
    import librosa

    _, path = librosa.sequence.dtw(one.cepstrum.T, other.cepstrum.T, metric="euclidean")
    difference = one.cepstrum[path[:, 0]] - other.cepstrum[path[:, 1]]
    distortion = _DECIBELS * np.sqrt(2 * np.square(difference).sum(1)).mean()
    pitches = np.stack([one.pitch[path[:, 0]], other.pitch[path[:, 1]]])
    logs = np.log2(pitches[:, (pitches > 0).all(0)])
    if logs.shape[1] < 2:
        return float(distortion), float("nan"), float("nan")
    error = 12 * np.sqrt(np.square(logs[0] - logs[1]).mean())
    steady = logs.std(1).min() == 0
    correlation = float("nan") if steady else float(np.corrcoef(logs)[0, 1])
    return float(distortion), float(error), correlation


@cache
def _encoder() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from resemblyzer import VoiceEncoder

        return VoiceEncoder("cpu", verbose=False)


def embed(audio: Audio) -> NDArray[np.float32]:
    """Return what Resemblyzer (a GE2E network) says of a speaker: float32 (256,), of length 1."""
    encoder = _encoder()
    from resemblyzer import preprocess_wav

    samples = preprocess_wav(np.array(audio.samples), source_sr=audio.sample_rate)
    if not len(samples):
        raise InputError("a recording holds no speech; give recordings of a voice")
    made: NDArray[np.float32] = encoder.embed_utterance(samples)
    return made


def dnsmos(audio: Audio) -> float:
    """Return the overall quality that DNSMOS (Reddy et al., 2022) predicts, 1 to 5."""
    with contextlib.redirect_stdout(io.StringIO()):
        from speechmos import dnsmos as network

        samples = np.clip(audio.resample(_DNSMOS_RATE).samples, -1, 1)
        return float(network.run(samples, sr=_DNSMOS_RATE)["ovrl_mos"])


def speaker(recordings: Sequence[Features]) -> NDArray[np.float32]:
    """Return the direction of the mean of speakers' embeddings: float32 (256,), of length 1."""
    mean = np.mean([one.embedding for one in recordings], axis=0)
    direction: NDArray[np.float32] = mean / np.linalg.norm(mean)
    return direction


def score(
    converted: Sequence[Features],
    target: Sequence[Features],
    source: Sequence[Features] = (),
) -> list[Score]:
    """Compare converted recordings with the target's and the source's.

    Args:
        converted: To judge.
        target: By the speaker who is wanted; those of the same name are the same sentence.
        source: By the speaker who spoke, if known.
    """
    same: Mapping[str, Features] = {one.name: one for one in target}
    wanted = speaker(target)
    pitch = np.concatenate([one.pitch for one in target])
    goal = float(np.median(pitch[pitch > 0])) if (pitch > 0).any() else float("nan")
    spoken = speaker(source) if source else None
    scores = []
    for one in converted:
        partner = same.get(one.name)
        nothing = (float("nan"),) * 3
        distortion, error, correlation = compare(one, partner) if partner else nothing
        scores.append(
            Score(
                name=one.name,
                distortion=distortion,
                pitch_error=error,
                pitch_correlation=correlation,
                median_pitch=one.median_pitch,
                pitch_distance=12 * float(np.log2(one.median_pitch / goal)),
                to_target=float(one.embedding @ wanted),
                to_source=float("nan") if spoken is None else float(one.embedding @ spoken),
                dnsmos=one.dnsmos,
            )
        )
    return scores
