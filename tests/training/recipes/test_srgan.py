"""A GAN from a distortion model: who learns when, from what, and what is refused."""

import dataclasses
import hashlib
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from safetensors.torch import save_file
from tests.training.conftest import smooth_picture
from torch import Tensor

from anamorph.errors import InputError, ModelFileError
from anamorph.picture import Picture
from anamorph_training.loop.checkpoints import load_checkpoint, load_ema
from anamorph_training.loop.journal import read_metrics
from anamorph_training.loop.warm_start import describe_start
from anamorph_training.networks.vgg19 import WIDTHS, VGG19Features
from anamorph_training.recipes import repsr, srgan
from anamorph_training.recipes.srgan import Config, build, train
from anamorph_training.vgg19_file import load_vgg19

NETWORK: dict[str, Any] = {"scale": 2, "channels": 8, "blocks": 1, "branches": True}
RUN: dict[str, Any] = {"batch": 2, "patch": 8, "steps": 1, "zooms": (), "log_every": 1}
RUN |= {"threads": 1, "device": "cpu", "tensorboard": False}
SMALL = tuple(width // 16 for width in WIDTHS)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    for seed in range(3):
        Picture(smooth_picture(seed, 40, 40)).save(tmp_path / "data" / f"{seed}.png")
    return tmp_path / "data"


@pytest.fixture
def distortion(data: Path, tmp_path: Path) -> Path:
    """A short run of the distortion model."""
    config = repsr.Config(data=data, late_patch=8, **NETWORK, **RUN)
    repsr.train(config, tmp_path / "distortion")
    return tmp_path / "distortion"


@pytest.fixture
def tiny(data: Path, distortion: Path) -> Config:
    return Config(
        data=data,
        start=distortion,
        discriminator_channels=2,
        discriminator_dense=4,
        discriminator_warm_up=0,
        **NETWORK,
        **RUN,
    )


TERMS = ("pixel", "consistency", "grid", "perceptual", "adversarial")
Trained = Callable[..., dict[str, Any]]


@pytest.fixture
def trained(tiny: Config, tmp_path: Path) -> Trained:
    """Train with some fields changed, in a new folder, and return the last checkpoint."""

    def run(name: str, **changes: Any) -> dict[str, Any]:
        train(dataclasses.replace(tiny, **changes), tmp_path / name)
        found = load_checkpoint(tmp_path / name)
        assert found is not None
        return found[1]

    return run


def weights(state: dict[str, Any], part: str) -> dict[str, Tensor]:
    """Return what an optimiser has trained: the statistics of batch norm are left out."""
    return {
        name: value
        for name, value in state[part].items()
        if "running" not in name and "tracked" not in name
    }


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    assert one.keys() == other.keys()
    return all(torch.equal(value, other[name]) for name, value in one.items())


def test_the_network_stays_the_distortion_model_until_the_discriminator_has_warmed_up(
    tiny: Config, distortion: Path, trained: Trained, tmp_path: Path
) -> None:
    state = trained("warm", steps=2, discriminator_warm_up=2)
    assert same(state["network"], load_ema(distortion))
    assert same(state["average"], load_ema(distortion))
    assert state["optimizer0"]["state"] == {}
    fresh = trained("one", steps=1, discriminator_warm_up=2)
    assert not same(weights(state, "discriminator"), weights(fresh, "discriminator"))
    ours, theirs = build(tiny), repsr.build(repsr.Config(data=tiny.data, **NETWORK))
    ours.load_state_dict(state["average"])
    theirs.load_state_dict(load_ema(distortion))
    image = torch.rand(1, 3, 9, 12)
    assert torch.equal(ours(image), theirs(image))
    rows = read_metrics(tmp_path / "warm")
    assert all("discriminator" in row for row in rows if "cpu_hours" in row)
    assert not any("loss" in row for row in rows)


def test_after_its_warm_up_both_learn(distortion: Path, trained: Trained, tmp_path: Path) -> None:
    state = trained("run", steps=2, discriminator_warm_up=1)
    assert not same(state["network"], load_ema(distortion))
    assert state["record"]["start"] == describe_start(distortion, tmp_path / "none")
    rows = [row for row in read_metrics(tmp_path / "run") if "cpu_hours" in row]
    assert ["loss" in row for row in rows] == [False, True]
    for name in ("pixel", "consistency", "grid", "adversarial", "perceptual", "gradient_norm"):
        assert rows[1][name] > 0, name
    total = rows[1]["pixel"] * 1 + rows[1]["consistency"] * srgan.Config.consistency_weight
    total += rows[1]["adversarial"] * srgan.Config.adversarial_weight
    total += rows[1]["grid"] * srgan.Config.grid_weight
    total += rows[1]["perceptual"] * srgan.Config.perceptual_weight
    assert rows[1]["loss"] == pytest.approx(total, rel=1e-5)
    assert 0 <= rows[1]["right_answers"] <= 1


def test_the_networks_gradients_do_not_teach_the_discriminator(trained: Trained) -> None:
    # A network that steps by nothing must leave the discriminator as one that does not step.
    still = trained("still", steps=3, learning_rate=1e-30)
    alone = trained("alone", steps=3, discriminator_warm_up=3)
    assert same(still["network"], alone["network"])
    assert same(weights(still, "discriminator"), weights(alone, "discriminator"))


def test_the_discriminators_gradients_do_not_teach_the_network(trained: Trained) -> None:
    pixels = {"steps": 3, "adversarial_weight": 0.0, "perceptual_weight": 0.0}
    slow = trained("slow", discriminator_learning_rate=1e-6, **pixels)
    quick = trained("quick", discriminator_learning_rate=1e-1, **pixels)
    assert not same(weights(slow, "discriminator"), weights(quick, "discriminator"))
    assert same(slow["network"], quick["network"])


@pytest.mark.parametrize("term", TERMS)
def test_each_term_teaches_the_network_by_itself(
    term: str, distortion: Path, trained: Trained
) -> None:
    only = {f"{name}_weight": float(name == term) for name in TERMS}
    assert not same(trained("run", **only)["network"], load_ema(distortion))


def test_without_any_term_the_network_stays(distortion: Path, trained: Trained) -> None:
    none = {f"{name}_weight": 0.0 for name in TERMS}
    assert same(trained("run", **none)["average"], load_ema(distortion))


def test_texture_is_measured_where_held_out_pictures_are_large_enough(
    tiny: Config, trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained("run")
    (row,) = [row for row in read_metrics(tmp_path / "run") if "spectral_peak" in row]
    assert row["spectral_peak"] > 0
    assert row["colour_error"] > 0
    assert row["high_frequency_energy"] > 0
    assert "times the truth's grid" in capsys.readouterr().err
    (tmp_path / "small").mkdir()
    Picture(smooth_picture(9, 24, 40)).save(tmp_path / "small" / "0.png")  # 32 are needed at x2
    trained("other", valid=tmp_path / "small")
    assert not any("spectral_peak" in row for row in read_metrics(tmp_path / "other"))
    assert any("psnr_y" in row for row in read_metrics(tmp_path / "other"))


def test_a_run_without_start_is_told_of(
    trained: Trained, capsys: pytest.CaptureFixture[str]
) -> None:
    trained("run", start=None)
    assert "no --start" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("scale", "patch", "cure"), [(2, 12, 16), (3, 24, 32), (4, 22, 24), (4, 1, 8), (4, 4, 8)]
)
def test_crops_that_the_discriminator_cannot_halve_are_refused(
    scale: Literal[2, 3, 4], patch: int, cure: int, tiny: Config, tmp_path: Path
) -> None:
    config = dataclasses.replace(tiny, scale=scale, patch=patch)
    with pytest.raises(InputError, match=f"{scale * patch} pixels.*multiples of 16.* {cure}$"):
        train(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"channels": 12}, r"is \(8,\) there, \(12,\) here"),
        ({"blocks": 2}, r"is absent there"),
        ({"branches": False}, r"expand\.point is \(8, 8\) there, absent here"),
        ({"scale": 4}, r"tail\.bias is \(12,\) there, \(48,\) here"),
    ],
)
def test_a_start_that_does_not_fit_whole_is_refused(
    changes: dict[str, Any], reason: str, tiny: Config, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=reason + ".*config.json names, such as --channels"):
        train(dataclasses.replace(tiny, **changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_start_that_is_no_run_is_refused(tiny: Config, data: Path, tmp_path: Path) -> None:
    for start, reason in ((tmp_path / "absent", "no such folder"), (data, "holds no checkpoint")):
        with pytest.raises(InputError, match=reason):
            train(dataclasses.replace(tiny, start=start), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def stand_in(path: Path, seed: int) -> Path:
    torch.manual_seed(seed)
    fresh = VGG19Features(widths=SMALL).state_dict()
    # As they are, sixteen fresh layers let almost nothing through.
    save_file({name: 2.5 * value for name, value in fresh.items()}, path)
    return path


@pytest.fixture
def vgg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of VGG19's weights, a 16th as wide."""
    monkeypatch.setattr(srgan, "load_vgg19", partial(load_vgg19, widths=SMALL))
    return stand_in(tmp_path / "vgg.safetensors", 0)


def test_vgg19_judges_where_its_file_is_given(
    vgg: Path, distortion: Path, trained: Trained, tmp_path: Path
) -> None:
    only = {f"{name}_weight": float(name == "perceptual") for name in TERMS}
    state = trained("run", vgg=vgg, **only)
    assert not same(state["network"], load_ema(distortion))
    assert not any("vgg" in name or "eye" in name for name in state)
    trained("other", vgg=stand_in(tmp_path / "other.safetensors", 1))
    trained("none")
    seen = {
        next(row["perceptual"] for row in read_metrics(tmp_path / run) if "perceptual" in row)
        for run in ("run", "other", "none")
    }
    assert len(seen) == 3
    assert min(seen) > 0


def test_a_run_is_held_to_the_vgg19_that_it_began_with(
    vgg: Path, tiny: Config, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    digest = hashlib.sha256(vgg.read_bytes()).hexdigest()
    config = dataclasses.replace(tiny, vgg=vgg)
    train(config, run)
    assert json.loads((run / "config.json").read_text())["config"]["vgg_sha256"] == digest
    train(dataclasses.replace(config, vgg_sha256=digest.upper()), run)
    other = stand_in(tmp_path / "other.safetensors", 1)
    with pytest.raises(InputError, match=f"vgg_sha256 {digest} -> [0-9a-f]{{64}}"):
        train(dataclasses.replace(config, vgg=other), run)
    with pytest.raises(InputError, match=f"vgg_sha256 {digest} -> "):
        train(tiny, run)


def test_another_checksum_is_refused_before_a_run_begins(
    vgg: Path, tiny: Config, tmp_path: Path
) -> None:
    config = dataclasses.replace(tiny, vgg=vgg, vgg_sha256="0" * 64)
    with pytest.raises(ModelFileError, match="as asked for"):
        train(config, tmp_path / "run")
    with pytest.raises(InputError, match="give the file as --vgg"):
        train(dataclasses.replace(config, vgg=None), tmp_path / "run")
    assert not (tmp_path / "run").exists()
