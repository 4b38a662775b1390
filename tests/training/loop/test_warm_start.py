"""A start from another run: what is taken over, what stays fresh, and what is told of it."""

import dataclasses
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from tests.training.conftest import smooth_picture

from anamorph.card import Ancestor
from anamorph.errors import InputError
from anamorph.picture import Picture
from anamorph_training.loop.checkpoints import load_ema, save_checkpoint
from anamorph_training.loop.warm_start import describe_start, load_weights, take_over_critic
from anamorph_training.networks.repsr import RepSR
from anamorph_training.onnx_weights import load_vocoder
from anamorph_training.recipes import vocoder
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
    assert told == describe_start(tmp_path / "first", tmp_path / "none")
    assert (
        told["datasets"] == json.loads((tmp_path / "first/provenance.json").read_text())["datasets"]
    )
    file = tmp_path / "first" / "checkpoints" / "000000002.safetensors"
    assert told["checkpoint"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert len(told["checkpoint"]) == 64
    shutil.rmtree(tmp_path / "first")  # a resumed run needs it no more
    (tmp_path / "second" / "provenance.json").unlink()
    train(config, tmp_path / "second")
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


def test_what_is_told_belongs_to_the_weights_that_are_taken(first: Config, tmp_path: Path) -> None:
    checkpoints = tmp_path / "first" / "checkpoints"
    damaged = checkpoints / "000000002.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:100])
    told = describe_start(tmp_path / "first", tmp_path / "none")
    assert told is not None
    assert told["steps"] == 1
    whole = (checkpoints / "000000001.safetensors").read_bytes()
    assert told["checkpoint"] == hashlib.sha256(whole).hexdigest()


def test_a_run_without_checkpoint_or_history_is_refused(first: Config, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no checkpoint"):
        describe_start(tmp_path / "data", tmp_path / "none")
    save_checkpoint(tmp_path / "bare", 1, {"average": {}})
    with pytest.raises(InputError, match="does not say where its weights come from"):
        describe_start(tmp_path / "bare", tmp_path / "none")


def test_starts_of_starts_are_told_in_the_card(first: Config, tmp_path: Path) -> None:
    train(dataclasses.replace(first, start=tmp_path / "first"), tmp_path / "second")
    told = describe_start(tmp_path / "second", tmp_path / "none")
    ancestor = msgspec.convert(told, Ancestor)
    assert ancestor.start is not None
    assert (ancestor.steps, ancestor.start.steps) == (2, 2)
    assert ancestor.start.datasets[0].items == 2


def test_a_vocoder_of_the_zoo_is_a_start(tmp_path: Path) -> None:
    network = vocoder.build(vocoder.Config(data=(tmp_path,)))
    assert load_weights(network, Path("vocoder-22k")) == []
    expected, provenance = load_vocoder("vocoder-22k")
    assert all(
        torch.equal(a, b) for a, b in zip(network.parameters(), expected.parameters(), strict=True)
    )
    record = describe_start(Path("vocoder-22k"), tmp_path / "run")
    ancestor = msgspec.convert(record, Ancestor)
    assert (ancestor.recipe, ancestor.steps) == ("vocoder", provenance.steps)
    assert len(ancestor.checkpoint) == 64


def test_a_live_vocoder_takes_all_but_the_taps_ahead(tmp_path: Path) -> None:
    network = vocoder.build(vocoder.Config(data=(tmp_path,), blocks=2, look_ahead=2))
    assert load_weights(network, Path("vocoder-22k")) == []
    whole, _ = load_vocoder("vocoder-22k")
    assert torch.equal(network.embed.weight, whole.embed.weight[..., :6])
    cut = network.state_dict()["blocks.1.depthwise.weight"]
    assert torch.equal(cut, whole.state_dict()["blocks.1.depthwise.weight"][..., :4])


def test_what_is_no_start_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="photo-x4: is no vocoder"):
        describe_start(Path("photo-x4"), tmp_path)
    with pytest.raises(InputError, match="no such folder; give the folder of a run, or a vocoder"):
        describe_start(Path("nowhere"), tmp_path)


def test_discriminators_go_over_whole_or_not_at_all(tmp_path: Path) -> None:
    theirs, said = torch.nn.Linear(3, 2), list[str]()
    save_checkpoint(tmp_path / "run", 1, {"discriminator": theirs.state_dict()})
    mine = torch.nn.Linear(3, 2)
    take_over_critic(tmp_path / "run", mine, report=said.append)
    assert torch.equal(mine.weight, theirs.weight)
    other, zoo = torch.nn.Linear(3, 4), Path("vocoder-22k")
    before = other.weight.detach().clone()
    for start in (tmp_path / "run", zoo):
        take_over_critic(start, other, report=said.append)
        assert torch.equal(other.weight, before)
    assert ["taken over" in line for line in said] == [True, False, False]
