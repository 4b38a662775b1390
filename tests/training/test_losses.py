"""Losses are means with known values."""

import torch

from anamorph_training.losses import l1, mse


def test_losses_of_a_constant_difference() -> None:
    prediction, target = torch.full((2, 3), 0.5), torch.zeros(2, 3)
    assert l1(prediction, target).item() == 0.5
    assert mse(prediction, target).item() == 0.25
