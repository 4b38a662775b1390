import torch
from torch import nn

from anamorph_export.simplifying import round_to_half, simplify
from anamorph_training.networks.repsr import RepConv, RepSR
from anamorph_training.networks.srresnet import SRResNet


def trained_looking(network: nn.Module) -> nn.Module:
    """Give every parameter and statistic a value that shows when it is lost."""
    torch.manual_seed(3)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if tensor.is_floating_point():
                low = 0.5 if "var" in name else -0.2
                tensor.copy_(torch.rand_like(tensor) * 0.5 + low)
    return network.eval()


def kinds(network: nn.Module) -> set[type[nn.Module]]:
    return {type(module) for module in network.modules()}


def test_batch_norm_is_folded_and_single_slopes_become_leaky_without_a_change() -> None:
    network = trained_looking(SRResNet(scale=2, channels=8, blocks=2, head_kernel=3, tail_kernel=3))
    image = torch.rand(2, 3, 9, 11)
    simple = simplify(network, image)
    assert not kinds(simple) & {nn.BatchNorm2d, nn.PReLU}
    with torch.no_grad():
        expected = network(image)
        assert float((simple(image) - expected).abs().max() / expected.abs().max()) < 1e-5


def test_branches_become_plain_convolutions_without_a_change() -> None:
    network = trained_looking(RepSR(scale=2, channels=8, blocks=2, branches=True))
    image = torch.rand(2, 3, 9, 11)
    simple = simplify(network, image)
    assert RepConv not in kinds(simple)
    with torch.no_grad():
        expected = network(image)
        assert float((simple(image) - expected).abs().max() / expected.abs().max()) < 1e-5


def test_the_trained_network_itself_stays_as_it_is() -> None:
    network = SRResNet(scale=2, channels=8, blocks=1).eval()
    before = kinds(network)
    simplify(network, torch.rand(1, 3, 9, 9))
    assert kinds(network) == before


def test_batch_norm_that_does_not_follow_a_convolution_is_kept() -> None:
    network = trained_looking(nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 3, 1)))
    simple = simplify(network, torch.rand(1, 3, 4, 4))
    assert nn.BatchNorm2d in kinds(simple)


def test_slopes_of_each_channel_are_kept() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.PReLU(4)).eval()
    assert nn.PReLU in kinds(simplify(network, torch.rand(1, 3, 4, 4)))


def test_kernels_are_rounded_to_float16_and_biases_are_not() -> None:
    torch.manual_seed(0)
    network = nn.Conv2d(3, 8, 3)
    bias = network.bias.clone()  # type: ignore[union-attr]
    round_to_half(network)
    assert torch.equal(network.weight, network.weight.half().float())
    assert torch.equal(network.bias, bias)  # type: ignore[arg-type]
