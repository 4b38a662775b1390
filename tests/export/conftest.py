"""Made once for all tests of the export: a good network, its graph and its ONNX file."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pyvips
import torch
from tests.export.networks import LinearUpscaler, fitted_upscaler, made_examples

from anamorph.card import Card
from anamorph_export.deploying import (
    Identity,
    deploy_upscaler,
    simplified,
    upscaler_card,
    upscaler_onnx,
)
from anamorph_export.graphs import UpscalerGraph
from anamorph_training.recipes.srresnet import Config, train


@dataclass(frozen=True)
class Exported:
    """A good upscaler on its way out of PyTorch."""

    network: LinearUpscaler
    graph: UpscalerGraph
    data: bytes
    card: Card


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def exported() -> Exported:
    network = fitted_upscaler()
    graph = simplified(UpscalerGraph(network))
    card = upscaler_card(network, Identity(name="linear-x2", licence="CC0-1.0"), None)
    return Exported(network, graph, upscaler_onnx(graph), card)


@pytest.fixture(scope="session")
def good_file(exported: Exported, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that went through the whole gate."""
    file = tmp_path_factory.mktemp("good") / "linear-x2.onnx"
    identity = Identity(name="linear-x2", licence="CC0-1.0")
    deploy_upscaler(exported.network, file, identity=identity, holdout=made_examples(2, seed=99))
    return file


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real run: a tiny SRResNet with batch norm and PReLU, trained for two seconds."""
    base = tmp_path_factory.mktemp("training")
    pictures = base / "pictures"
    pictures.mkdir()
    for example in made_examples(24, seed=5, side=96):
        pyvips.Image.new_from_array(example.high).pngsave(str(pictures / f"{example.name}.png"))
    config = Config(
        data=pictures,
        cache=base / "cache",
        licence="CC0-1.0",
        scale=2,
        channels=16,
        blocks=1,
        head_kernel=3,
        tail_kernel=3,
        upsampling="direct",
        image_skip=True,
        steps=120,
        batch=8,
        learning_rate=5e-3,
        warm_up=10,
        average_decay=0.9,
        check_every=60,
        sample_every=1000,
        threads=1,
        tensorboard=False,
        device="cpu",
    )
    train(config, base / "run")
    return base / "run"
