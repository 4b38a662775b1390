"""What the recipe for CPUs does beyond SRResNet's: late crops, degradations, clipping."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.training.conftest import smooth_picture

from anamorph.picture import Picture
from anamorph_training.data.folder import decode
from anamorph_training.data.photographs import find_photographs, prepare_photographs
from anamorph_training.degradation import shrink
from anamorph_training.loop.average import update_average
from anamorph_training.loop.checkpoints import load_ema
from anamorph_training.loop.journal import read_metrics
from anamorph_training.recipes import repsr
from anamorph_training.recipes.repsr import Config, train

TINY: dict[str, Any] = {"scale": 2, "channels": 8, "blocks": 1, "batch": 2, "patch": 8}
TINY |= {"late_patch": 12, "steps": 6, "check_every": 3, "warm_up": 1, "zooms": ()}
TINY |= {"threads": 1, "device": "cpu", "tensorboard": False, "log_every": 1}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    for seed in range(3):
        Picture(smooth_picture(seed, 64, 64)).save(folder / f"{seed}.png")
    return folder


def test_the_last_steps_take_larger_crops(data: Path) -> None:
    config = Config(data=data, **TINY | {"steps": 10, "late_share": 0.3})
    pictures = prepare_photographs(
        config, find_photographs(config), patch=12, report=lambda _: None
    )
    sides = [repsr._draw(step, config=config, pictures=pictures)[0].shape[2] for step in range(10)]
    assert sides == [8] * 7 + [12] * 3


def test_pictures_too_small_for_late_crops_serve_where_there_are_none(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for seed in range(2):
        Picture(smooth_picture(seed, 20, 20)).save(tmp_path / "data" / f"{seed}.png")
    train(Config(data=tmp_path / "data", **TINY, late_share=0.0), tmp_path / "run")
    assert read_metrics(tmp_path / "run")[-1]["step"] == 6


def test_practical_degradation_is_learnt_from_measured_and_resumed(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Config(data=data, degradation="practical", **TINY)
    train(config, tmp_path / "whole")
    high = decode(tmp_path / "whole" / "holdout" / "00_HR.png")
    low = decode(tmp_path / "whole" / "holdout" / "00_LR.png")
    assert low.shape == (32, 32, 3)
    assert not np.array_equal(low, shrink(high, 2))
    with monkeypatch.context() as patch:
        patch.setattr(repsr, "update_average", partial(fail_at, 4))
        with pytest.raises(OSError, match="power"):
            train(config, tmp_path / "broken")
    train(config, tmp_path / "broken")
    whole, broken = load_ema(tmp_path / "whole"), load_ema(tmp_path / "broken")
    assert all(torch.equal(value, broken[name]) for name, value in whole.items())


def fail_at(
    failing: int, average: torch.nn.Module, network: Any, *, decay: float, step: int
) -> None:
    if step == failing:
        raise OSError("power cut")
    update_average(average, network, decay=decay, step=step)


def test_the_norm_of_all_gradients_together_is_bounded(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    norms = []

    def look(average: Any, network: torch.nn.Module, **rest: Any) -> None:
        gradients = [p.grad.norm() for p in network.parameters() if p.grad is not None]
        norms.append(float(torch.stack(gradients).norm()))

    monkeypatch.setattr(repsr, "update_average", look)
    train(Config(data=data, **TINY, clip=1e-3), tmp_path / "run")
    assert max(norms) < 1.01e-3
    assert all(
        row["gradient_norm"] > 1e-3 for row in read_metrics(tmp_path / "run") if "loss" in row
    )
