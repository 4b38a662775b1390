"""The mel front end agrees with an independent reference."""

import os
from pathlib import Path

import librosa
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from anamorph_training.networks.fourier import dft_basis
from anamorph_training.networks.mel import MelAnalysis

RATE = 22050


def librosa_mel(waveform: NDArray[np.float32]) -> NDArray[np.float64]:
    padded = np.pad(waveform.astype(np.float64), 384)
    spectrum = librosa.stft(padded, n_fft=1024, hop_length=256, window="hann", center=False)
    magnitude = np.sqrt(np.abs(spectrum) ** 2 + 1e-9)
    bands = librosa.filters.mel(sr=RATE, n_fft=1024, n_mels=80, fmin=0, fmax=8000, dtype=np.float64)
    log_mel: NDArray[np.float64] = np.log(np.maximum(bands @ magnitude, 1e-5))
    return log_mel


def assert_agrees(waveform: NDArray[np.float32]) -> None:
    reference = librosa_mel(waveform)
    mel = MelAnalysis()(torch.from_numpy(waveform)[None])[0].numpy()
    assert mel.shape == reference.shape == (80, len(waveform) // 256)
    difference = np.abs(mel - reference)
    assert difference.max() < 1e-3
    assert difference.mean() < 1e-4


def test_agrees_with_librosa_on_noise_and_tones() -> None:
    generator = np.random.default_rng(0)
    time = np.arange(RATE) / RATE
    tones = sum(0.1 * np.sin(2 * np.pi * f * time) for f in (110, 440, 3000, 7900))
    noise = generator.normal(0, 0.02, RATE)
    assert_agrees((tones + noise).astype(np.float32))


@pytest.mark.data
def test_agrees_with_librosa_on_speech() -> None:
    root = os.environ.get("ANAMORPH_DATA")
    if not root:
        pytest.skip("ANAMORPH_DATA is not set: the recordings are not here")
    import soundfile

    file = sorted(Path(root, "speech/nathalie/test").glob("*.flac"))[0]
    waveform, rate = soundfile.read(file, dtype="float32")
    assert rate == RATE
    assert_agrees(waveform)


def test_silence_lies_on_the_floor() -> None:
    mel = MelAnalysis()(torch.zeros(1, 2560))
    assert torch.all(mel >= np.log(1e-5) - 1e-4)
    assert mel.std() < 2  # the floor under the root, weighted by each band's width


def test_basis_transforms_as_numpy_does() -> None:
    frame = np.random.default_rng(1).normal(size=64)
    real, imaginary = np.split(dft_basis(64) @ frame, 2)
    np.testing.assert_allclose(real + 1j * imaginary, np.fft.rfft(frame), atol=1e-12)


def test_gradient_flows_through_silence() -> None:
    waveform = torch.zeros(2, 1024, requires_grad=True)
    MelAnalysis()(waveform).sum().backward()
    assert waveform.grad is not None
    assert torch.isfinite(waveform.grad).all()
