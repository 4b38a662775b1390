"""Generators of voices: shapes, gradients, finite context, masks and conditions."""

import pytest
import torch

from anamorph_training.networks.voice_gan import (
    VoiceDiscriminator,
    VoiceGenerator,
    VoiceJudges,
    VoicePair,
)


def generator(look_ahead: int | None = None, conditions: int = 0) -> VoiceGenerator:
    torch.manual_seed(0)
    shape = {"channels": 8, "hidden": 8, "blocks": 2}
    return VoiceGenerator(**shape, conditions=conditions, look_ahead=look_ahead).eval()


def mel(frames: int, batch: int = 2) -> torch.Tensor:
    return torch.randn(batch, 80, frames) - 5


@pytest.mark.parametrize("frames", [1, 2, 33])
def test_keeps_the_shape(frames: int) -> None:
    assert generator()(mel(frames)).shape == (2, 80, frames)


@pytest.mark.parametrize(("look_ahead", "after"), [(None, 12), (0, 0), (2, 2), (7, 7), (12, 12)])
def test_a_frame_depends_on_its_context_and_on_nothing_else(
    look_ahead: int | None, after: int
) -> None:
    network = generator(look_ahead)
    assert (network.context_before, network.context_after) == (12, after)
    given = mel(80, 1)
    given[0, 3, 40] = torch.nan
    touched = network(given)[0].isnan().any(0).nonzero()[:, 0]
    assert int(touched.min()) == 40 - network.context_after
    assert int(touched.max()) == 40 + network.context_before


def test_masked_frames_are_not_seen() -> None:
    network, given = generator(), mel(40, 1)
    mask = torch.ones(1, 1, 40)
    mask[..., 10:20] = 0
    other = given.clone()
    other[..., 10:20] = 3
    assert torch.equal(network(given, mask), network(other, mask))
    assert not torch.equal(network(given, mask), network(given))


def test_every_weight_of_a_pair_learns() -> None:
    torch.manual_seed(0)
    pair = VoicePair(channels=8, hidden=8, blocks=1, conditions=4)
    back = pair.to_source(pair.to_target(mel(20)), condition=torch.randn(2, 4))
    back.square().mean().backward()
    for name, parameter in pair.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_a_condition_must_be_given_where_one_is_taken() -> None:
    with pytest.raises(AssertionError, match="whose voice is wanted"):
        generator(conditions=3)(mel(5))


def test_discriminators_judge_patches() -> None:
    torch.manual_seed(0)
    activations = VoiceDiscriminator(channels=2)(mel(32))
    assert activations[-1].shape[1] == 1
    assert activations[-1].shape[2:].numel() > 10
    assert len(list(VoiceJudges(channels=2).children())) == 4
