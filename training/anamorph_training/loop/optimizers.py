"""Optimisers, and how their learning rates move together."""

from collections.abc import Iterable
from typing import Final, Literal

from torch import nn
from torch.optim import Adam, Muon, Optimizer

from anamorph_training.loop.schedule import set_learning_rate

Method = Literal["muon", "adam"]

_MOMENTUM: Final = 0.95
# Matrices with fewer rows than this are not worth orthogonalising: they make colours.
_LEAST_ROWS: Final = 4


def make_optimizers(
    network: nn.Module, *, method: Method, rate: float, other_rate: float, beta2: float
) -> list[Optimizer]:
    """Return what trains a network.

    Args:
        network: Its matrices are what Muon takes (Jordan et al., 2024); Adam takes the rest.
        method: ``muon``, or ``adam`` for all.
        rate: Greatest learning rate of ``method``; Muon's is scaled to steps of Adam's size.
        other_rate: Greatest learning rate of what Muon does not take.
        beta2: Decay of Adam's second moment, per step.
    """
    parameters = list(network.parameters())
    if method == "adam":
        return [Adam(parameters, lr=rate, betas=(0.9, beta2), fused=True)]
    matrices = [p for p in parameters if p.dim() == 2 and len(p) >= _LEAST_ROWS]
    taken = {id(p) for p in matrices}
    rest = [p for p in parameters if id(p) not in taken]
    muon = Muon(
        matrices,
        lr=rate,
        weight_decay=0.0,
        momentum=_MOMENTUM,
        adjust_lr_fn="match_rms_adamw",
    )
    return [muon, Adam(rest, lr=other_rate, betas=(0.9, beta2), fused=True)]


def scale_rates(optimizers: Iterable[Optimizer], share: float) -> None:
    """Set every learning rate to a share of the one that its optimiser was made with."""
    for optimizer in optimizers:
        set_learning_rate(optimizer, optimizer.defaults["lr"] * share)


def number(optimizers: Iterable[Optimizer]) -> dict[str, Optimizer]:
    """Return optimisers under the names that they have in a checkpoint."""
    return {f"optimizer{index}": optimizer for index, optimizer in enumerate(optimizers)}
