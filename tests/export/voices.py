"""Small networks and sounds for the tests of the audio gates."""

import numpy as np
import torch
from numpy.typing import NDArray
from tests.training.conftest import spoken_wave

from anamorph_training.networks.vocos import Vocoder
from anamorph_training.networks.voice_gan import VoiceGenerator


def small_vocoder(seed: int = 0) -> Vocoder:
    """Return an untrained vocoder of one block."""
    torch.manual_seed(seed)
    network = Vocoder(channels=16, hidden=16, blocks=1).eval()
    with torch.no_grad():
        for parameter in network.parameters():  # no two of them alike, as after training
            parameter.add_(0.01 * torch.randn_like(parameter))
    return network


def small_generator(*, conditions: int = 0) -> VoiceGenerator:
    """Return an untrained generator of one block."""
    torch.manual_seed(1)
    return VoiceGenerator(channels=16, hidden=16, blocks=1, conditions=conditions).eval()


def sounds(count: int, *, seconds: float = 0.5, seed: int = 0) -> list[NDArray[np.float32]]:
    """Return voice-like recordings at 22.05 kHz."""
    return [spoken_wave(seed + index, seconds=seconds) for index in range(count)]
