"""Batches of random stretches of recordings, a pure function of (seed, step)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from anamorph_training.data.recordings import Recording


@dataclass(frozen=True)
class Stretches:
    """What a step learns from.

    Attributes:
        waveform: float32 (batch, samples) in [-1, 1].
        bandwidth: float32 (batch,), Hz: what lies above says nothing about the voice.
        mel: float32 (batch, 80, frames), what the waveform shall be made of; None for its own.
    """

    waveform: Tensor
    bandwidth: Tensor
    mel: Tensor | None = None


def draw_waveforms(
    step: int,
    *,
    recordings: Sequence[Recording],
    batch: int,
    samples: int,
    seed: int,
    gain_db: tuple[float, float] = (0.0, 0.0),
) -> Stretches:
    """Cut one batch of stretches, each at a random level.

    Args:
        step: Counted from 0; with the seed it decides everything.
        recordings: To choose from, each as often as it is long.
        batch: Number of stretches.
        samples: Length of each; one that begins before its recording, or ends after it, is filled
            with zeros, of which up to half a stretch may be, as at the ends of a user's file.
        seed: Of the run.
        gain_db: Least and greatest change of the level; less where a peak would clip.
    """
    generator = np.random.default_rng([seed, step])
    ends = np.cumsum([len(recording.samples) for recording in recordings])
    made = np.empty((batch, samples), np.float32)
    bandwidth = np.empty(batch, np.float32)
    for item in range(batch):
        chosen = int(np.searchsorted(ends, generator.integers(ends[-1]), side="right"))
        recording = recordings[chosen]
        room = samples // 2
        last = max(len(recording.samples) - samples + room, -room + 1)
        cut = recording.cut(int(generator.integers(-room, last + 1)), samples)
        gain = 10 ** (float(generator.uniform(*gain_db)) / 20)
        peak = float(np.abs(cut).max())
        made[item] = cut * min(gain, 1 / peak if peak else gain)
        bandwidth[item] = recording.bandwidth
    return Stretches(torch.from_numpy(made), torch.from_numpy(bandwidth))
