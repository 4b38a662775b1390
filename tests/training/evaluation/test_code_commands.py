"""The commands that measure codes, detectors, finders of outliers and debiasing, on small sets."""

import json
from pathlib import Path

import numpy as np
import pytest
from tests.runtime.tiny_codes import tiny_detector, tiny_outlier_finder
from tests.runtime.tiny_models import tiny_upscaler
from tests.training.data.test_images import write_idx, write_people

from anamorph.cli import main
from anamorph.picture import Picture
from anamorph_training.evaluation.debiasing_command import judge
from anamorph_training.evaluation.defects import read_defects, read_normal
from anamorph_training.recipes import debiasing_vae


def write_parts(folder: Path) -> Path:
    """Write ten good parts, grey, and three with a white blot and its mask."""
    (folder / "good").mkdir(parents=True)
    (folder / "blot").mkdir()
    for number in range(10):
        grey = np.full((20, 30, 3), 120 + number, np.uint8)
        Picture(grey).save(folder / "good" / f"{number}.png")
    for number in range(3):
        blotted, mask = np.full((20, 30, 3), 120, np.uint8), np.zeros((20, 30), np.uint8)
        blotted[5:12, 8:15] = mask[5:12, 8:15] = 255
        Picture(blotted).save(folder / "blot" / f"{number}.png")
        Picture(mask).save(folder / "blot" / f"{number}_mask.png")
    return folder


def test_detectors_stand_beside_principal_components(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, model = write_parts(tmp_path / "parts"), tiny_detector(tmp_path / "tiny.onnx")
    command = ["evaluate", "anomalies", str(model), "--data", str(data), "--components", "2"]
    assert main([*command, "--json"]) == 0
    pca, tiny = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (pca["method"], tiny["method"]) == ("PCA 2", "tiny")
    assert tiny["auroc"] == tiny["kinds"]["blot"] == 1
    assert tiny["pixels"]["auroc"] > 0.99
    assert (tiny["found"], tiny["false"]) == (1, 0)
    assert main(command) == 0
    assert "AUPRO" in capsys.readouterr().out


def test_test_sets_hold_no_picture_that_is_learnt_from(tmp_path: Path) -> None:
    data = write_parts(tmp_path / "parts")
    examples = read_defects(data)
    assert [one.kind for one in examples] == ["good"] * 2 + ["blot"] * 3
    assert [one.name for one in examples[:2]] == ["4.png", "9.png"]
    assert {int(one[0, 0, 0]) for one in read_normal(data)} == {
        120,
        121,
        122,
        123,
        125,
        126,
        127,
        128,
    }


def test_a_left_out_class_is_told_by_its_own_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_idx(tmp_path, 80)
    for label in range(4):
        tiny_outlier_finder(tmp_path / f"without-{label}.onnx")
    pattern = str(tmp_path / "without-{}.onnx")
    command = ["evaluate", "outliers", pattern, "--data", str(data), "--components", "3"]
    assert main([*command, "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["label"] for row in rows] == [0, 1, 2, 3]
    for row in rows:  # the tiny one's second score is the first with the other sign
        assert row["scores"]["neighbours"] == pytest.approx(1 - row["scores"]["elbo"])
        assert 0 <= row["scores"]["PCA 3"] <= 1
    assert main(command) == 0
    assert "mean" in capsys.readouterr().out


def test_reconstructions_stand_beside_principal_components(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    people, sheet = write_people(tmp_path / "people", 10, each=9), tmp_path / "sheet.png"
    command = ["evaluate", "reconstruction", "faces", "--data", str(people), "--by-folder"]
    assert main([*command, "--sheet", str(sheet), "--components", "4", "--json"]) == 0
    pca, faces = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert pca["method"] == "PCA 4"
    assert pca["psnr"] > faces["psnr"]  # flat pictures are one component, and no faces
    assert Picture.open(sheet).width > 3 * 64


def test_wider_codes_bring_pictures_nearer_and_a_sweep_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    data, chart = write_idx(tmp_path, 80), tmp_path / "curve.png"
    command = ["evaluate", "widths", "--data", str(data), "--out", str(tmp_path / "runs")]
    command += [
        "--latent",
        "2",
        "--latent",
        "16",
        "--steps",
        "3",
        "--height",
        "16",
        "--width",
        "16",
    ]
    assert main([*command, "--chart", str(chart), "--json"]) == 0
    two, many = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (two["latent"], many["latent"]) == (2, 16)
    assert Picture.open(chart).width == 640
    assert main([*command, "--chart", str(chart)]) == 1
    assert "exists already" in capsys.readouterr().err
    assert main(command) == 0  # the runs are there already
    assert f"{two['psnr']:.2f}" in capsys.readouterr().out


def test_sprites_are_disentangled_as_the_card_of_the_zoos_model_would_say(
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ["evaluate", "disentanglement", "sprites", "--votes", "80", "--samples", "600"]
    assert main([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["mig"] > 0.15
    assert found["factor_vae"] > 0.4


def test_debiasing_is_judged_by_kind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, run = write_idx(tmp_path, 200), tmp_path / "run"
    config = debiasing_vae.Config(
        data=data,
        height=16,
        width=16,
        classes=4,
        rare_share=0.05,
        latent=2,
        channels=2,
        hidden=4,
        steps=4,
        batch=4,
        resample_every=2,
        check_every=4,
        sample_every=4,
        threads=1,
        tensorboard=False,
    )
    debiasing_vae.train(config, run)
    found = judge(run, data)
    assert (found.share, found.debiased, found.seed) == (0.05, True, 1)
    assert found.worst == min(found.common, found.rare)
    assert 0 < found.drawn <= 1
    assert main(["evaluate", "debiasing", str(run), "--data", str(data)]) == 0
    assert "0.05" in capsys.readouterr().out


def test_what_the_density_calls_rare_is_told_and_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, run, sheet = write_idx(tmp_path, 200), tmp_path / "run", tmp_path / "sheet.png"
    options = ["--latent", "2", "--channels", "2", "--hidden", "4", "--steps", "4", "--batch", "4"]
    options += ["--classes", "4", "--height", "16", "--width", "16", "--no-tensorboard"]
    train = ["train", "debiasing_vae", "--data", str(data), "--out", str(run), "--threads", "1"]
    assert main([*train, *options, "--rare-share", "0.1", "--alpha", "0.001"]) == 0
    capsys.readouterr()
    command = ["evaluate", "rarity", str(run), "--data"]
    assert main([*command, str(data), "--sheet", str(sheet), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["pictures"] == 180
    assert 1 <= found["alike"] < 180
    assert 0.1 < found["rarest_tenth"] <= 1
    assert 0 < found["rare"] < 1
    shown = Picture.open(sheet).pixels
    block = 8 * (16 + 2)
    assert shown.shape[1] == 3 * block + 2 * 4
    alike, rarest, drawn = (shown[18:, i * (block + 4) :][:, :block] for i in range(3))
    assert not np.array_equal(alike, rarest)
    assert not np.array_equal(rarest, drawn)
    assert main([*command, str(data)]) == 0
    assert "worth as many alike" in capsys.readouterr().out
    (tmp_path / "others").mkdir()
    others = write_idx(tmp_path / "others", 80)
    assert main([*command, str(others)]) == 1
    assert f"{others}: is not what this run learnt from" in capsys.readouterr().err
    assert main(["evaluate", "debiasing", str(run), "--data", str(others)]) == 1
    assert f"{others}: is not what this run learnt from" in capsys.readouterr().err


def test_networks_without_a_density_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, run = write_idx(tmp_path, 80), tmp_path / "run"
    train = ["train", "autoencoder", "--data", str(data), "--out", str(run), "--steps", "1"]
    assert main([*train, "--height", "16", "--width", "16", "--no-tensorboard"]) == 0
    assert main(["evaluate", "rarity", str(run), "--data", str(data)]) == 1
    assert "is a run of autoencoder; give one of vae, beta_vae" in capsys.readouterr().err
    assert main(["evaluate", "debiasing", str(run), "--data", str(data)]) == 1
    assert "is no run of debiasing_vae" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["rarity", "--data", "sprites"], "no run given"),
        (["anomalies", "--data", "."], "no model given"),
        (["disentanglement"], "no model given"),
        (["reconstruction", "--data", "."], "no model given"),
        (["debiasing", "--data", "sprites"], "no run given"),
        (["outliers", "model.onnx", "--data", "."], r"give a name with {}"),
    ],
)
def test_what_is_missing_is_named(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", *options]) == 1
    assert message in capsys.readouterr().err


def test_models_of_other_tasks_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(tiny_upscaler(tmp_path / "up.onnx"))
    assert main(["evaluate", "disentanglement", model]) == 1
    assert "for 'upscale', not for 'reconstruct'" in capsys.readouterr().err
    parts = write_parts(tmp_path / "parts")
    assert main(["evaluate", "anomalies", model, "--data", str(parts)]) == 1
    assert "for 'upscale', not for 'detect'" in capsys.readouterr().err
    (parts / "good").rename(parts / "fine")
    detector = str(tiny_detector(tmp_path / "d.onnx"))
    assert main(["evaluate", "anomalies", detector, "--data", str(parts)]) == 1
    assert "has no sub-folder good" in capsys.readouterr().err
