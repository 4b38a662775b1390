"""Checkpoints: whole, atomic, and free of pickle."""

import os
import pickle
from pathlib import Path
from typing import NoReturn

import pytest
import torch
from torch import nn

from anamorph.errors import InputError
from anamorph_training.loop import checkpoints
from anamorph_training.loop.checkpoints import (
    Part,
    Resumed,
    load_checkpoint,
    load_ema,
    resume_parts,
    save_checkpoint,
    save_parts,
)
from anamorph_training.loop.effort import Spent

RECORD = {"recipe": "waves", "config": {"shape": [1, 2]}, "datasets": [{"digest": "ab"}]}


def stepped(
    layout: torch.memory_format = torch.contiguous_format,
) -> tuple[nn.Module, torch.optim.Adam]:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    network.to(memory_format=layout)  # type: ignore[call-overload]
    adam = torch.optim.Adam(network.parameters(), fused=True)
    step(network, adam)
    return network, adam


def step(network: nn.Module, adam: torch.optim.Adam) -> None:
    network(torch.arange(300.0).reshape(1, 3, 10, 10).sin()).square().sum().backward()
    adam.step()
    adam.zero_grad()


def test_returns_what_was_saved(tmp_path: Path) -> None:
    shared = torch.arange(3.0)
    state = {
        "a": {"weight": shared, "view": shared[1:], "count": torch.tensor(3)},
        "optimizer": {
            "state": {0: {"m": torch.ones(2, 2).t()}},
            "groups": [{"lr": 0.1, "x": None}],
        },
        "seconds": 1.5,
        "empty": {},
    }
    save_checkpoint(tmp_path, 7, state)
    found = load_checkpoint(tmp_path)
    assert found is not None
    step, loaded = found
    assert step == 7
    assert str(loaded) == str(state)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_training_goes_on_bit_for_bit(tmp_path: Path, layout: torch.memory_format) -> None:
    network, adam = stepped(layout)
    save_parts(
        tmp_path, 1, {"network": network, "optimizer": adam}, spent=Spent(2.0, 5.0), record=RECORD
    )
    step(network, adam)
    other, other_adam = stepped(layout)
    with torch.no_grad():
        for weight in other.parameters():
            weight.zero_()
    resumed = resume_parts(tmp_path, {"network": other, "optimizer": other_adam})
    assert resumed == Resumed(step=1, spent=Spent(2.0, 5.0), record=RECORD)
    step(other, other_adam)
    for mine, theirs in zip(
        network.state_dict().values(), other.state_dict().values(), strict=True
    ):
        assert torch.equal(mine, theirs)


def test_a_new_run_starts_at_zero(tmp_path: Path) -> None:
    network, adam = stepped()
    assert resume_parts(tmp_path, {"network": network, "optimizer": adam}) == Resumed()


def test_a_checkpoint_of_old_goes_on(tmp_path: Path) -> None:
    network, adam = stepped()
    parts: dict[str, Part] = {"network": network, "optimizer": adam}
    state = {name: part.state_dict() for name, part in parts.items()}
    save_checkpoint(tmp_path, 3, {**state, "cpu_seconds": 2.0})
    assert resume_parts(tmp_path, parts) == Resumed(step=3, spent=Spent(2.0, 0.0))


def test_keeps_the_newest_two(tmp_path: Path) -> None:
    for number in (5, 10, 15, 100):
        save_checkpoint(tmp_path, number, {"x": torch.zeros(1)})
    names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert names == ["000000015.safetensors", "000000100.safetensors"]


def test_a_damaged_newest_one_falls_back_to_the_one_before(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, 1, {"x": torch.zeros(1)})
    newest = save_checkpoint(tmp_path, 2, {"x": torch.ones(1)})
    newest.write_bytes(newest.read_bytes()[:-2])
    found = load_checkpoint(tmp_path)
    assert found is not None
    assert found[0] == 1


def test_nothing_but_damaged_ones_is_an_error(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, 1, {"x": torch.zeros(1)}).write_bytes(b"garbage")
    with pytest.raises(InputError, match="no checkpoint"):
        load_checkpoint(tmp_path)


def test_a_write_that_fails_leaves_the_last_good_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_checkpoint(tmp_path, 1, {"x": torch.zeros(1)})

    def fail(*_: object, **__: object) -> NoReturn:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        save_checkpoint(tmp_path, 2, {"x": torch.ones(1)})
    found = load_checkpoint(tmp_path)
    assert found is not None
    assert found[0] == 1


def test_loading_never_unpickles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise AssertionError("pickle was executed")

    network, adam = stepped()
    save_parts(tmp_path, 1, {"network": network, "optimizer": adam}, spent=Spent(), record=RECORD)
    for module, name in (
        (torch, "load"),
        (pickle, "load"),
        (pickle, "loads"),
        (pickle, "Unpickler"),
    ):
        monkeypatch.setattr(module, name, refuse)
    assert resume_parts(tmp_path, {"network": network, "optimizer": adam}).step == 1


def test_no_source_file_can_unpickle() -> None:
    root = Path(checkpoints.__file__).parents[1]
    for path in root.rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        for word in ("pickle.load", "Unpickler(", "allow_pickle=True", "weights_only=False"):
            assert word not in source, path
        assert source.count("torch.load(") == source.count("weights_only=True"), path


def test_averaged_weights_need_a_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no checkpoint"):
        load_ema(tmp_path)
    save_checkpoint(tmp_path, 3, {"average": {"weight": torch.ones(2)}})
    assert torch.equal(load_ema(tmp_path)["weight"], torch.ones(2))
