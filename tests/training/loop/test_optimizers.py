"""Optimisers: who takes what, and rates that move together."""

import torch
from torch import nn
from torch.optim import Adam, Muon, Optimizer

from anamorph_training.loop.optimizers import make_optimizers, scale_rates
from anamorph_training.networks.repsr import RepSR


def taken(optimizer: Optimizer) -> set[int]:
    return {id(weight) for group in optimizer.param_groups for weight in group["params"]}


def make(network: nn.Module, method: str = "muon") -> list[Optimizer]:
    return make_optimizers(network, method=method, rate=2e-3, other_rate=1e-3, beta2=0.99)  # type: ignore[arg-type]


def test_muon_takes_matrices_and_adam_the_rest() -> None:
    network = RepSR(channels=8, blocks=1, branches=True)
    muon, adam = make(network)
    assert isinstance(muon, Muon)
    assert isinstance(adam, Adam)
    for name, weight in network.named_parameters():
        assert (id(weight) in taken(muon)) == (weight.dim() == 2), name
        assert (id(weight) in taken(adam)) == (weight.dim() == 1), name


def test_adam_alone_takes_everything() -> None:
    network = RepSR(channels=8, blocks=1)
    (adam,) = make(network, "adam")
    assert taken(adam) == {id(weight) for weight in network.parameters()}


def test_every_rate_becomes_the_same_share_of_its_own() -> None:
    optimizers = make(RepSR(channels=8, blocks=1))
    scale_rates(optimizers, 0.5)
    scale_rates(optimizers, 0.25)  # of the greatest, not of the last
    assert [o.param_groups[0]["lr"] for o in optimizers] == [5e-4, 2.5e-4]


def test_a_step_of_muon_is_as_long_as_one_of_adam() -> None:
    torch.manual_seed(0)
    weight = nn.Linear(256, 64, bias=False)
    before = weight.weight.detach().clone()
    muon, _ = make_optimizers(
        nn.ModuleList([weight, nn.BatchNorm1d(2)]),
        method="muon",
        rate=1e-2,
        other_rate=1e-3,
        beta2=0.99,
    )
    weight(torch.randn(512, 256)).square().mean().backward()
    muon.step()
    length = (weight.weight - before).square().mean().sqrt().item()
    assert 0.5 * 2e-3 < length < 1.5 * 2e-3  # Adam's are about a fifth of its rate
