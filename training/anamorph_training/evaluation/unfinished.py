"""Converters as they come out of a run, before they are exported; in PyTorch."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from anamorph.audio import Audio
from anamorph.loudness import measure
from anamorph_training.data.voices import HOP, SAMPLE_RATE
from anamorph_training.onnx_weights import load_generator, load_vocoder
from anamorph_training.spectra import log_mel


def open_run(run: Path, vocoder: str) -> Callable[[Audio], Audio]:
    """Return what converts a recording as the exported model would, but for its limiter.

    Args:
        run: Folder of a run of ``cyclegan_voice`` or ``distill_voice``.
        vocoder: Zoo name, file or run of what it is heard through.

    Raises:
        InputError: One of them is something else.
    """
    generator = load_generator(str(run))
    speaker, _ = load_vocoder(vocoder)

    def convert(audio: Audio) -> Audio:
        samples = np.array(audio.mono().resample(SAMPLE_RATE).samples)
        gain = 10 ** (measure([samples[None]], SAMPLE_RATE).gain_db / 20)
        padded = np.pad(gain * samples, (0, HOP - 1)).astype(np.float32)
        with torch.inference_mode():
            made = speaker(generator(log_mel(torch.from_numpy(padded)[None])))[0].numpy()
        return Audio(made[: len(samples)] / np.float32(gain), SAMPLE_RATE)

    return convert
