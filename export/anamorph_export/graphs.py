"""The graphs that leave PyTorch, one small module per file, and what crosses their boundary."""

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anamorph.card import Port
from anamorph_training.networks.fourier import Synthesis
from anamorph_training.networks.mel import MelAnalysis
from anamorph_training.networks.vocos import Vocoder

_PICTURE_AXES: Final = ("batch", "channel", "height", "width")
_RGB: Final = ("red", "green", "blue")


class UpscalerGraph(nn.Module):
    """A network that enlarges pictures, with its output clipped to what a picture can hold.

    Args:
        network: Maps float32 (batch, 3, height, width) in [0, 1], RGB, to
            (batch, 3, scale * height, scale * width), not clipped.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        # The graph is in the network's mode; train() or eval() would hide that of its layers.
        self.training = network.training

    def forward(self, picture: Tensor) -> Tensor:
        """Enlarge a picture: float32 (b, 3, h, w) in [0, 1] to (b, 3, s * h, s * w) in [0, 1]."""
        return torch.clamp(self.network(picture), 0.0, 1.0)


class VocoderGraph(nn.Module):
    """A vocoder whose inverse Fourier transform is a matrix.

    Args:
        vocoder: As it was trained.
    """

    def __init__(self, vocoder: Vocoder) -> None:
        super().__init__()
        self.vocoder = vocoder
        self.synthesis = Synthesis(n_fft=vocoder.n_fft, hop_length=vocoder.hop_length)
        self.synthesis.train(vocoder.training)
        self.training = vocoder.training

    def forward(self, mel: Tensor) -> Tensor:
        """Turn float32 (b, n_mels, frames), natural log of amplitude, into (b, hop * frames)."""
        waveform: Tensor = self.synthesis(*self.vocoder.spectrum(mel))
        return waveform


class VoiceGraph(nn.Module):
    """From waveform to waveform: mel analysis, generator, vocoder, synthesis.

    Args:
        generator: Maps float32 (batch, n_mels, frames), natural log of amplitude, to the same;
            ``nn.Identity()`` copies the voice.
        vocoder: As it was trained.
    """

    def __init__(self, generator: nn.Module, vocoder: Vocoder) -> None:
        super().__init__()
        self.analysis = MelAnalysis(hop_length=vocoder.hop_length, n_fft=vocoder.n_fft)
        self.analysis.train(vocoder.training)
        self.generator = generator
        self.vocoder = VocoderGraph(vocoder)
        self.missing = vocoder.hop_length - 1
        self.training = vocoder.training

    def forward(self, waveform: Tensor) -> Tensor:
        """Convert float32 (b, samples) in [-1, 1], one sample or more, to as many samples."""
        samples = waveform.shape[1]
        # Zeros complete the last frame; of what is too many, none makes another one.
        mel = self.analysis(F.pad(waveform, (0, self.missing)))  # (b, n_mels, frames)
        converted: Tensor = self.vocoder(self.generator(mel))  # (b, hop * frames)
        return converted[:, :samples]


def mel_port(name: str, n_mels: int) -> Port:
    """Describe a log-mel spectrogram up to 8 kHz under its name in the graph."""
    import librosa

    centres = librosa.mel_frequencies(n_mels + 2, fmin=0.0, fmax=8000.0)[1:-1]
    return Port(
        name=name,
        meaning="mel",
        axes=("batch", "band", "frames"),
        channels=tuple(f"{centre:.0f} Hz" for centre in centres),
        unit="natural log of amplitude",
    )


def waveform_port(name: str) -> Port:
    """Describe a mono waveform under its name in the graph."""
    return Port(name=name, meaning="waveform", axes=("batch", "samples"), unit="1 is full scale")


def picture_port(name: str) -> Port:
    """Describe one RGB picture in [0, 1] under its name in the graph."""
    return Port(
        name=name,
        meaning="picture",
        axes=_PICTURE_AXES,
        channels=_RGB,
        minimum=0.0,
        maximum=1.0,
        unit="sRGB, encoded",
    )
