"""A linear way begins as the principal components: nothing linear is nearer."""

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from anamorph_training.code_start import begin
from anamorph_training.code_watch import reconstruct
from anamorph_training.data.batches import to_float
from anamorph_training.data.images import ArrayStack
from anamorph_training.loop.average import start_average
from anamorph_training.networks.autoencoder import VAE, Autoencoder, Size


class Learner:
    def __init__(self, network: Any) -> None:
        self.network, self.average = network, start_average(network)


def pictures(count: int = 60) -> np.ndarray:
    generator = np.random.default_rng(0)
    rows, columns = np.mgrid[0:16, 0:16]
    waves = [
        np.sin(rows * generator.uniform(0.1, 1) + columns * generator.uniform(0.1, 1))
        for _ in range(count)
    ]
    return (127 + 60 * np.stack(waves)).astype(np.uint8)[:, None]


@pytest.mark.parametrize("kind", [Autoencoder, VAE])
def test_it_is_as_near_as_the_principal_components(kind: Any) -> None:
    torch.manual_seed(0)
    size = Size(
        bands=1, height=16, width=16, channels=4, hidden=0, linear=True, likelihood="gaussian"
    )
    learner: Any = Learner(kind(size, latent=5))
    pixels = pictures()
    begin(learner, ArrayStack(pixels))
    with torch.no_grad():
        made = reconstruct(learner.average, to_float(pixels)).flatten(1).numpy()
        codes = learner.network.encode(to_float(pixels)).numpy()
    flat = pixels.reshape(len(pixels), -1) / 255
    pca = PCA(5).fit(flat)
    best = np.mean((pca.inverse_transform(pca.transform(flat)) - flat) ** 2)
    assert np.mean((made - flat) ** 2) == pytest.approx(best, rel=0.05)
    assert codes.std(0) == pytest.approx(np.ones(5), abs=0.05)
    for one, other in zip(learner.network.parameters(), learner.average.parameters(), strict=True):
        assert torch.equal(one, other)


def test_more_latents_than_components_say_nothing() -> None:
    size = Size(
        bands=1, height=16, width=16, channels=4, hidden=0, linear=True, likelihood="bernoulli"
    )
    learner: Any = Learner(VAE(size, latent=9))
    pixels = pictures(4)
    begin(learner, ArrayStack(pixels))
    assert torch.isfinite(learner.network.encode(to_float(pixels))).all()


def test_networks_without_a_linear_way_stay_as_they_are() -> None:
    size = Size(bands=1, height=16, width=16, channels=4, hidden=4)
    learner: Any = Learner(Autoencoder(size, latent=2))
    before = {name: value.clone() for name, value in learner.network.state_dict().items()}
    begin(learner, ArrayStack(pictures(4)))
    after = learner.network.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
