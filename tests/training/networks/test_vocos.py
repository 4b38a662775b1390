"""The vocoder: shapes, gradients, and exactly the context that it states."""

import pytest
import torch

from anamorph_training.networks.vocos import Vocoder
from anamorph_training.networks.waveform_discriminators import (
    WaveformDiscriminator,
    features,
    logits,
    share_right,
)


def vocoder(look_ahead: int | None = None) -> Vocoder:
    torch.manual_seed(0)
    return Vocoder(channels=8, hidden=16, blocks=2, look_ahead=look_ahead).eval()


def test_makes_a_hop_of_samples_per_frame() -> None:
    for frames in (1, 2, 17):
        assert vocoder()(torch.randn(3, 80, frames)).shape == (3, frames * 256)


def test_every_weight_learns() -> None:
    network = vocoder()
    network(torch.randn(2, 80, 9)).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize(("look_ahead", "after"), [(None, 9), (0, 0), (2, 2), (5, 5), (9, 9)])
def test_a_frame_depends_on_its_context_and_on_nothing_else(
    look_ahead: int | None, after: int
) -> None:
    network = vocoder(look_ahead)
    assert (network.context_before, network.context_after) == (9, after)
    mel = torch.randn(1, 80, 60)
    mel[0, 0, 30] = torch.nan
    real, _ = network.spectrum(mel)
    touched = real[0].isnan().any(1).nonzero()[:, 0]
    assert int(touched.min()) == 30 - network.context_after
    assert int(touched.max()) == 30 + network.context_before


def test_a_frame_does_not_depend_on_the_loudness_of_distant_ones() -> None:
    network = vocoder()
    mel = torch.randn(1, 80, 80)
    louder = mel.clone()
    louder[:, :, :20] += 3
    apart = [one[:, 20 + network.context_before :] for one in network.spectrum(louder)]
    for mine, theirs in zip(network.spectrum(mel), apart, strict=True):
        assert torch.equal(mine[:, 20 + network.context_before :], theirs)


def test_discriminators_see_all_samples_at_every_period_and_resolution() -> None:
    torch.manual_seed(0)
    network = WaveformDiscriminator(period_channels=2, resolution_channels=2)
    waveform = torch.randn(2, 2001, requires_grad=True)
    judged = network(waveform)
    assert len(logits(judged)) == 8
    for activations in judged:
        (gradient,) = torch.autograd.grad(activations[-1].sum(), waveform, retain_graph=True)
        assert (gradient[:, 600:1400] != 0).float().mean() > 0.9
    assert all(one.shape[1] > 1 for one in features(judged))


def test_the_share_of_right_answers() -> None:
    real, fake = [torch.tensor([1.0, 0.2])], [torch.tensor([0.1, 0.3])]
    assert share_right(real, fake) == 0.75
