"""Losses: pure functions of tensors that return a scalar; their weights stay in the recipes."""

from torch import Tensor


def l1(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference, in the units of its arguments."""
    return (prediction - target).abs().mean()


def mse(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean squared difference, in squared units of its arguments."""
    return (prediction - target).square().mean()
