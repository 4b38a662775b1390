"""A start from another run: what is taken over, what stays fresh, and what is told of it."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.training.conftest import smooth_picture

from anamorph.errors import InputError
from anamorph.picture import Picture
from anamorph_training.loop.checkpoints import load_ema, newest_checkpoint
from anamorph_training.loop.warm_start import describe_start, load_weights
from anamorph_training.networks.repsr import RepSR
from anamorph_training.recipes.repsr import Config, build, train

TINY: dict[str, Any] = {"channels": 8, "blocks": 1, "batch": 1, "patch": 8, "late_patch": 8}
TINY |= {"steps": 2, "check_every": 1, "warm_up": 1, "threads": 1, "device": "cpu"}
TINY |= {"tensorboard": False, "zooms": ()}


@pytest.fixture
def first(tmp_path: Path) -> Config:
    """The configuration of a run at x2 that is there, in tmp_path / "first"."""
    (tmp_path / "data").mkdir()
    for seed in range(3):
        Picture(smooth_picture(seed, 48, 48)).save(tmp_path / "data" / f"{seed}.png")
    config = Config(data=tmp_path / "data", scale=2, **TINY)
    train(config, tmp_path / "first")
    return config


def test_all_but_the_tail_goes_over_to_another_scale(first: Config, tmp_path: Path) -> None:
    network = build(dataclasses.replace(first, scale=4))
    tail = network.tail.square.detach().clone()
    fresh = load_weights(network, tmp_path / "first")
    assert fresh == ["tail.square", "tail.bias"]
    assert torch.equal(network.tail.square, tail)
    for name, value in load_ema(tmp_path / "first").items():
        if name not in fresh:
            assert torch.equal(network.state_dict()[name], value), name


def test_a_run_begins_with_the_weights_and_tells_of_them_for_ever(
    first: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = dataclasses.replace(first, start=tmp_path / "first", learning_rate=1e-9)
    config = dataclasses.replace(config, bias_learning_rate=1e-9)
    train(config, tmp_path / "second")
    assert "fresh are: none" in capsys.readouterr().err
    before, after = load_ema(tmp_path / "first"), load_ema(tmp_path / "second")
    for name, value in before.items():
        torch.testing.assert_close(after[name], value, rtol=0, atol=1e-6)
    told = json.loads((tmp_path / "second" / "provenance.json").read_text())["start"]
    assert (told["recipe"], told["steps"]) == ("repsr", 2)
    assert told == describe_start(tmp_path / "first")
    assert len(told["checkpoint"]) == 64
    # A resumed run needs the first no more.
    (tmp_path / "second" / "provenance.json").unlink()
    train(dataclasses.replace(config, start=None), tmp_path / "second")
    again = json.loads((tmp_path / "second" / "provenance.json").read_text())
    assert again["start"] == told


def test_a_folder_without_a_run_is_refused_before_a_run_begins(
    first: Config, tmp_path: Path
) -> None:
    config = dataclasses.replace(first, start=tmp_path / "absent")
    with pytest.raises(InputError, match=r"absent: .*--start"):
        train(config, tmp_path / "second")
    assert not (tmp_path / "second").exists()


def test_weights_of_another_width_are_refused(first: Config, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none of its weights fits"):
        load_weights(RepSR(channels=12, blocks=1), tmp_path / "first")


def test_the_newest_checkpoint_is_the_last(first: Config, tmp_path: Path) -> None:
    assert newest_checkpoint(tmp_path / "first").name == "000000002.safetensors"
    with pytest.raises(InputError, match="holds no checkpoint"):
        newest_checkpoint(tmp_path / "data")
