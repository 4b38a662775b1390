"""The average of weights."""

import pytest
import torch
from torch import nn

from anamorph_training.loop.average import start_average, update_average


def test_moves_by_the_share_that_decay_leaves() -> None:
    network = nn.Linear(2, 2)
    average = start_average(network)
    with torch.no_grad():
        network.weight.add_(1)
    before = average.weight.clone()
    update_average(average, network, decay=0.9, step=10_000)
    torch.testing.assert_close(average.weight, before + 0.1)


def test_forgets_its_start_quickly() -> None:
    network = nn.Linear(1, 1, bias=False)
    average = start_average(network)
    with torch.no_grad():
        network.weight.fill_(5)
    for step in range(100):
        update_average(average, network, decay=0.999, step=step)
    assert average.weight.item() == pytest.approx(5, abs=1e-3)


def test_takes_over_statistics_and_never_trains() -> None:
    network = nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1))
    average = start_average(network)
    network(torch.randn(4, 1, 8, 8) + 3)
    update_average(average, network, decay=0.9, step=0)
    statistics = network.state_dict()["1.running_mean"]
    assert statistics.abs().sum() > 0
    assert torch.equal(average.state_dict()["1.running_mean"], statistics)
    assert not average.training
    assert not any(weight.requires_grad for weight in average.parameters())
