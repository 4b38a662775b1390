"""Spectra for losses are those of the graphs, and differentiable."""

import pytest
import torch
from tests.training.conftest import spoken_wave

from anamorph_training.networks.mel import MelAnalysis
from anamorph_training.spectra import limit_bandwidth, log_mel, magnitude
from anamorph_training.spectral_losses import average_spectrum_error, spectral

RATE = 22050


def voice(seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(spoken_wave(seed, seconds=1)[None, : 80 * 256])


def test_log_mel_is_that_of_the_graph() -> None:
    assert (log_mel(voice()) - MelAnalysis()(voice())).abs().max() < 1e-4


def test_magnitudes_have_a_frame_per_hop() -> None:
    for n_fft in (256, 1024, 2048):
        assert magnitude(voice(), n_fft, n_fft // 4).shape == (
            1,
            n_fft // 2 + 1,
            voice().shape[1] // (n_fft // 4),
        )


def test_a_limited_bandwidth_is_silent_above_and_unchanged_below() -> None:
    noise = torch.randn(2, RATE, generator=torch.Generator().manual_seed(0))
    limited = limit_bandwidth(noise, torch.tensor([8000.0, RATE / 2]), RATE)
    before, after = magnitude(noise, 1024, 256), magnitude(limited, 1024, 256)
    ratio = after[0].mean(1) / before[0].mean(1)
    bins = torch.arange(513) * RATE / 1024
    assert ratio[bins > 8300].max() < 0.01
    assert ratio[(bins < 7000)].sub(1).abs().max() < 0.01
    assert torch.equal(limited[1], noise[1])


def test_equal_waveforms_have_no_loss_and_others_have() -> None:
    same = spectral(voice(), voice(), sample_rate=RATE)
    assert all(float(term) == 0 for term in same.values())
    other = spectral(voice(1), voice(), sample_rate=RATE)
    assert all(float(term) > 0.1 for term in other.values())


def test_half_the_amplitude_is_log_two_of_magnitude() -> None:
    terms = spectral(voice() / 2, voice(), sample_rate=RATE)
    assert float(terms["convergence"]) == pytest.approx(0.5, abs=1e-3)
    assert float(terms["magnitude"]) == pytest.approx(0.693, abs=0.02)
    assert float(terms["mel"]) == pytest.approx(0.693, abs=0.02)


def test_spectra_stay_on_the_device_of_their_waveform() -> None:
    bandwidth = torch.tensor([8000.0])
    with torch.device("meta"):  # where everything goes that is made without its device
        assert limit_bandwidth(voice(), bandwidth, RATE).device.type == "cpu"
        assert log_mel(voice()).device.type == "cpu"
        terms = spectral(voice(1), voice(), sample_rate=RATE)
        terms["tone"] = average_spectrum_error(voice(1), voice())
    assert {term.device.type for term in terms.values()} == {"cpu"}


def test_gradients_are_finite_in_silence() -> None:
    fake = torch.zeros(1, 8192, requires_grad=True)
    sum(spectral(fake, voice()[:, :8192], sample_rate=RATE).values()).backward()  # type: ignore[union-attr]
    assert fake.grad is not None
    assert bool(torch.isfinite(fake.grad).all())
