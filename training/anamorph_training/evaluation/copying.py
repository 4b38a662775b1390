"""Copy-synthesis: what a vocoder makes of recordings' own spectrograms, beside Griffin-Lim."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

import anamorph
from anamorph.audio import Audio
from anamorph.errors import InputError, UsageError
from anamorph.vocoder import Vocoder
from anamorph_training.data.recordings import level
from anamorph_training.data.speech import write_wav
from anamorph_training.data.voices import HOP, SAMPLE_RATE
from anamorph_training.evaluation.voice import dnsmos, embed
from anamorph_training.griffin_lim import griffin_lim
from anamorph_training.spectra import log_amplitude, log_mel, magnitude
from anamorph_training.spectral_losses import spectral

GRIFFIN_LIM = "griffin-lim"
_FRAME = 1024  # samples of a frame whose phases are lent
_LONG = 4096  # samples of a frame that tells a tone from its neighbours

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Copies:
    """Means over recordings.

    Attributes:
        name: Of the vocoder, or "recordings".
        log_mel_error: Mean absolute difference of natural logarithms, at four resolutions.
        similarity: Cosine, to the mean speaker of the recordings.
        dnsmos: Overall, 1 to 5.
        hum: dB, as `hum` measures it.
    """

    name: str
    log_mel_error: float
    similarity: float
    dnsmos: float
    hum: float


def measure_copies(
    models: Sequence[str],
    files: Sequence[Path],
    *,
    phases_below: float | None = None,
    out: Path | None = None,
) -> list[Copies]:
    """Measure recordings, levelled as in training, and each vocoder's copies of them.

    Args:
        models: Zoo names or files of vocoders, or ``griffin-lim``.
        files: Recordings of one speaker.
        phases_below: Hz; also measure each vocoder's copies with the recordings' own phases below.
        out: Folder for the copies; None keeps none.

    Raises:
        InputError: A model is no vocoder, or a recording holds no speech or less than 0.19 s.
        UsageError: Two models have one name.
    """
    makers: dict[str, Callable[[Floats], Floats]] = {}
    for model in models:
        if Path(model).stem in makers:
            raise UsageError(f"--model {model}: two are named {Path(model).stem}; rename one")
        makers[Path(model).stem] = _maker(model)
    sounds = [_read(path) for path in files]
    speakers = [embed(Audio(sound, SAMPLE_RATE)) for sound in sounds]
    centre = np.mean(speakers, axis=0)
    centre /= np.linalg.norm(centre)
    results = [
        Copies(
            "recordings",
            0.0,
            float(np.mean([one @ centre for one in speakers])),
            float(np.mean([dnsmos(Audio(sound, SAMPLE_RATE)) for sound in sounds])),
            hum(sounds),
        )
    ]
    for name, make in makers.items():
        copies = [make(_mel(sound)) for sound in sounds]
        if out is not None:
            (out / name).mkdir(parents=True, exist_ok=True)
            for path, copy in zip(files, copies, strict=True):
                write_wav(out / name / f"{path.stem}.wav", copy, SAMPLE_RATE)
        results.append(_measure(name, sounds, copies, centre))
        if phases_below is not None:
            pairs = zip(copies, sounds, strict=True)
            lent = [lend_phases(copy, sound, phases_below) for copy, sound in pairs]
            called = f"{name}, phases of the recordings below {phases_below:g} Hz"
            results.append(_measure(called, sounds, lent, centre))
    return results


def _measure(
    name: str, sounds: Sequence[Floats], copies: Sequence[Floats], centre: Floats
) -> Copies:
    errors = [
        float(spectral(_tensor(copy), _tensor(sound), sample_rate=SAMPLE_RATE)["mel"])
        for copy, sound in zip(copies, sounds, strict=True)
    ]
    audios = [Audio(copy, SAMPLE_RATE) for copy in copies]
    return Copies(
        name,
        float(np.mean(errors)),
        float(np.mean([embed(audio) @ centre for audio in audios])),
        float(np.mean([dnsmos(audio) for audio in audios])),
        hum(copies),
    )


def lend_phases(copy: Floats, sound: Floats, below: float) -> Floats:
    """Give a copy the phases of its recording up to a frequency, and keep its magnitudes.

    Args:
        copy: float32 (samples,), at 22.05 kHz.
        sound: Likewise, as long.
        below: Hz.
    """
    import librosa

    own, given = (librosa.stft(one, n_fft=_FRAME, hop_length=HOP) for one in (copy, sound))
    bins = round(below * _FRAME / SAMPLE_RATE)
    own[:bins] = np.abs(own[:bins]) * np.exp(1j * np.angle(given[:bins]))
    lent: Floats = librosa.istft(own, hop_length=HOP, length=len(copy))
    return lent


def hum(sounds: Sequence[Floats]) -> float:
    """Return by how much multiples of the frame rate stand out of the average spectrum, in dB.

    Args:
        sounds: float32 (samples,) each, at 22.05 kHz, 4096 samples at least.

    Returns:
        Mean over the multiples of 86 Hz from 1 kHz on, of log power over its median around; near 0
        for recordings.
    """
    from scipy.ndimage import median_filter

    logs = [
        2 * log_amplitude(magnitude(_tensor(sound), _LONG, _LONG // 4))[0].mean(1)
        for sound in sounds
    ]
    mean = torch.stack(logs).mean(0).numpy() * 10 / np.log(10)
    excess = mean - median_filter(mean, 51)
    lines = np.arange(12, 120) * _LONG / HOP
    near = [excess[round(line) - 1 : round(line) + 2].max() for line in lines]
    return float(np.mean(near))


def _maker(name: str) -> Callable[[Floats], Floats]:
    if name == GRIFFIN_LIM:
        return griffin_lim
    vocoder = anamorph.load(name)
    if not isinstance(vocoder, Vocoder):
        raise InputError(f"{name}: is no vocoder; see which are: anamorph models")
    return lambda mel: np.array(vocoder.synthesize(mel).samples)


def _read(path: Path) -> Floats:
    """Return whole frames of a recording, levelled."""
    try:
        sound = level(np.array(Audio.open(path).mono().resample(SAMPLE_RATE).samples))
    except ValueError as error:
        raise InputError(f"{path}: {error}; record it again") from None
    if len(sound) < _LONG:
        seconds, least = len(sound) / SAMPLE_RATE, _LONG / SAMPLE_RATE
        raise InputError(
            f"{path}: holds {seconds:.2f} s of sound, {least:.2f} s are needed; leave it out"
        )
    return sound[: len(sound) // HOP * HOP]


def _mel(sound: Floats) -> Floats:
    mel: Floats = log_mel(_tensor(sound))[0].numpy()
    return mel


def _tensor(sound: Floats) -> torch.Tensor:
    return torch.from_numpy(np.array(sound))[None]
