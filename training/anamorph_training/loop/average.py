"""Exponential moving average of weights: what is evaluated, sampled and exported."""

import copy
from typing import TypeVar

import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)


def start_average(network: Network) -> Network:
    """Return a frozen copy of a network, in evaluation mode."""
    return copy.deepcopy(network).requires_grad_(False).eval()


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, *, decay: float, step: int) -> None:
    """Move the average towards the network's weights.

    Args:
        average: Made by `start_average`.
        network: The network in training.
        decay: Share that the average keeps; early on less, so that it forgets its start.
        step: Steps done before this one.
    """
    kept = min(decay, (1 + step) / (10 + step))
    torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), 1 - kept)
    # Buffers (the statistics of batch norm, counters) are averages already.
    for mine, theirs in zip(average.buffers(), network.buffers(), strict=True):
        mine.copy_(theirs)
