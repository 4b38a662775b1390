"""What a voice converter makes of perturbed copies, beside the recordings that they copy.

A vocoder that learns from such pairs speaks the spectrograms that it will be given.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from anamorph_training.data.lessons import convert
from anamorph_training.data.recordings import Recording, default_cache
from anamorph_training.data.speech import Choice, Speech
from anamorph_training.data.voices import HOP, N_MELS, prepare_voice
from anamorph_training.data.waveforms import Stretches
from anamorph_training.onnx_weights import load_generator
from anamorph_training.spectra import SILENCE

_VARIANTS: Final = 4

Mel = NDArray[np.float16]


@dataclass(frozen=True)
class Spoken:
    """A recording and spectrograms that a converter takes for it.

    Attributes:
        recording: By the voice that is wanted.
        mels: float16 (80, frames) each, natural log of amplitude, frame by frame at its time.
    """

    recording: Recording
    mels: tuple[Mel, ...]


def prepare_converted(
    choice: Choice, voice: Path, files: Sequence[Path], *, report: Callable[[str], None]
) -> tuple[Speech, list[Spoken]]:
    """Perturb recordings, convert the copies back, and hold every 20th recording out.

    Args:
        choice: A recipe's configuration.
        voice: Folder of the converter's run, its file or its zoo name.
        files: Recordings by the voice that it converts to.
        report: Told of progress, one line each.

    Returns:
        The recordings, as `speech.prepare_speech` gives them, and those that are trained on with
        what the converter makes of their copies.

    Raises:
        InputError: ``voice`` is no converter, or fewer than two recordings can be used.
        OutputError: The cache's folder cannot be made.
        UnavailableError: pyworld is not installed.
    """
    generator = load_generator(str(voice))
    utterances = prepare_voice(
        files,
        variants=_VARIANTS,
        cache=choice.cache or default_cache(),
        name=choice.data_name,
        licence=choice.licence,
        report=report,
    )
    spoken = []
    for one in utterances.training:
        spoken.append(Spoken(one.recording, tuple(convert(generator, one.copies))))
        if len(spoken) % 100 == 0 or len(spoken) == len(utterances.training):
            report(f"converted copies ready: {len(spoken)} of {len(utterances.training)}")
    held = [one.recording.cut(0, len(one.recording.samples)) for one in utterances.held]
    recordings = [one.recording for one in utterances.training]
    return Speech(recordings, held, utterances.dataset), spoken


def draw_converted(
    step: int,
    *,
    spoken: Sequence[Spoken],
    batch: int,
    samples: int,
    seed: int,
    gain_db: tuple[float, float] = (0.0, 0.0),
) -> Stretches:
    """Cut one batch of stretches with the spectrograms that they shall be made of.

    Args:
        step: Counted from 0; with the seed it decides everything.
        spoken: To choose from, each as often as it is long.
        batch: Number of stretches.
        samples: Length of each, a multiple of 256; one that ends after its recording is filled
            with zeros.
        seed: Of the run.
        gain_db: Least and greatest change of the level, of sound and spectrogram alike; less where
            a peak would clip.
    """
    generator = np.random.default_rng([seed, step])
    ends = np.cumsum([one.mels[0].shape[1] for one in spoken])
    frames = samples // HOP
    sounds = np.empty((batch, samples), np.float32)
    mels = np.full((batch, N_MELS, frames), SILENCE, np.float32)
    bandwidth = np.empty(batch, np.float32)
    for item in range(batch):
        one = spoken[int(np.searchsorted(ends, generator.integers(ends[-1]), side="right"))]
        mel = one.mels[int(generator.integers(len(one.mels)))]
        start = int(generator.integers(max(1, mel.shape[1] - frames + 1)))
        cut = one.recording.cut(start * HOP, samples)
        gain = 10 ** (float(generator.uniform(*gain_db)) / 20)
        peak = float(np.abs(cut).max())
        gain = min(gain, 1 / peak if peak else gain)
        sounds[item] = cut * gain
        shown = mel[:, start : start + frames]
        mels[item, :, : shown.shape[1]] = shown + np.float32(np.log(gain))
        bandwidth[item] = one.recording.bandwidth
    return Stretches(*(torch.from_numpy(array) for array in (sounds, bandwidth, mels)))
