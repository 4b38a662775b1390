"""What is analysed comes back, by both ways of synthesis."""

import numpy as np
import pytest
import torch

from anamorph_training.networks.fourier import (
    Basis,
    Synthesis,
    dft_basis,
    hann,
    overlap_add,
    synthesize,
)


def analyse(waveform: torch.Tensor, n_fft: int, hop: int) -> tuple[torch.Tensor, torch.Tensor]:
    padding = (n_fft - hop) // 2
    window = torch.from_numpy(hann(n_fft)).float()
    padded = torch.nn.functional.pad(waveform, (padding, padding))
    spectrum = torch.stft(padded, n_fft, hop, window=window, center=False, return_complex=True)
    return spectrum.real.transpose(1, 2), spectrum.imag.transpose(1, 2)


@pytest.mark.parametrize(("n_fft", "hop"), [(1024, 256), (64, 16), (64, 32)])
def test_perfect_reconstruction(n_fft: int, hop: int) -> None:
    torch.manual_seed(0)
    waveform = torch.randn(2, 40 * hop)
    real, imaginary = analyse(waveform, n_fft, hop)
    by_fft = synthesize(real, imaginary, hop)
    by_matrix = Synthesis(n_fft=n_fft, hop_length=hop)(real, imaginary)
    for made in (by_fft, by_matrix):
        assert made.shape == waveform.shape
        assert (made - waveform).abs().max() < 1e-5


def test_one_frame_is_a_signal() -> None:
    real, imaginary = analyse(torch.ones(1, 256), 1024, 256)
    assert (synthesize(real, imaginary, 256) - 1).abs().max() < 1e-5


def test_basis_obeys_parseval() -> None:
    basis = dft_basis(32)
    signal = np.random.default_rng(0).normal(size=32)
    real, imaginary = np.split(basis @ signal, 2)
    power = real**2 + imaginary**2
    power[1:-1] *= 2
    assert power.sum() / 32 == pytest.approx(np.square(signal).sum())


def test_frames_are_added_where_they_overlap() -> None:
    frames = torch.tensor([[[1.0, 2, 3, 4], [10, 20, 30, 40]]])
    assert overlap_add(frames, 2).tolist() == [[1, 2, 13, 24, 30, 40]]


def test_a_table_of_cosines_gives_the_very_basis() -> None:
    made = Basis(n_fft=1024, bins=513)().double().numpy()
    assert np.abs(made - dft_basis(1024)).max() < 6e-8
