"""Rewrite a trained network, before it leaves PyTorch, into one that says the same more cheaply."""

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import fuse_conv_bn_eval

from anamorph_training.networks.repsr import fold_branches

_Layer = tuple[str, nn.Module]


def simplify(network: nn.Module, example: Tensor) -> nn.Module:
    """Return a copy that computes the same with fewer and cheaper operators.

    Branches become one convolution, batch norm is folded into the convolution before it, and a
    PReLU of one slope becomes a leaky ReLU, which ONNX Runtime fuses with the convolution before
    it: a fifth of the time of a residual network on the CPU.

    Args:
        network: In evaluation mode.
        example: An input that reaches every layer.
    """
    simple = fold_branches(copy.deepcopy(network))
    for (conv_name, conv), (norm_name, norm) in _normalised_convolutions(simple, example):
        assert isinstance(conv, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        simple.set_submodule(conv_name, fuse_conv_bn_eval(conv, norm))
        simple.set_submodule(norm_name, nn.Identity())
    for name, module in list(simple.named_modules()):
        if isinstance(module, nn.PReLU) and module.num_parameters == 1:
            simple.set_submodule(name, nn.LeakyReLU(module.weight.item()))
    return simple.eval()


@torch.no_grad()
def round_to_half(network: nn.Module) -> None:
    """Round kernels and matrices in place to numbers that float16 holds exactly.

    Biases and slopes keep their precision: they are few, and some are small.
    """
    for parameter in network.parameters():
        if parameter.dim() > 1:
            parameter.copy_(parameter.half().to(parameter.dtype))


def _normalised_convolutions(network: nn.Module, example: Tensor) -> list[tuple[_Layer, _Layer]]:
    """Return each convolution whose output goes straight into a batch norm, with that norm.

    What follows what is seen by running the network: no tracer has to understand its code.
    """
    made_by: dict[int, _Layer] = {}
    alive: list[Tensor] = []  # an identity is unique only while its tensor lives
    pairs: list[tuple[_Layer, _Layer]] = []

    def after_convolution(layer: _Layer) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
            made_by[id(output)] = layer
            alive.append(output)

        return hook

    def before_norm(layer: _Layer) -> Any:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            if convolution := made_by.get(id(inputs[0])):
                pairs.append((convolution, layer))

        return hook

    handles = []
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            handles.append(module.register_forward_hook(after_convolution((name, module))))
        elif isinstance(module, nn.BatchNorm2d) and module.track_running_stats:
            handles.append(module.register_forward_pre_hook(before_norm((name, module))))
    with torch.no_grad():
        network(example)
    for handle in handles:
        handle.remove()
    return pairs
