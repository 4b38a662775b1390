"""Measuring upscalers on pairs and folders, by function and by command."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from tests.runtime.tiny_models import tiny_upscaler
from tests.training.conftest import smooth_picture

from anamorph import cli
from anamorph.errors import InputError, OutputError
from anamorph.picture import Picture
from anamorph_training.data.folder import decode
from anamorph_training.degradation import imresize, shrink
from anamorph_training.evaluation import command
from anamorph_training.evaluation.upscaling import (
    find_method,
    measure,
    read_folder,
    read_pairs,
    write_crops,
)
from anamorph_training.practical import degrade


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Return a folder of two pairs at x2, one of them grey."""
    folder = tmp_path / "pairs"
    folder.mkdir()
    for name, high in (
        ("a", smooth_picture(0, 48, 64)),
        ("grey", smooth_picture(1, 40, 40)[..., 0]),
    ):
        Picture(high).save(folder / f"{name}_HR.png")
        Picture(shrink(np.atleast_3d(high), 2)).save(folder / f"{name}_LR.png")
    return folder


@pytest.fixture
def model(tmp_path: Path) -> str:
    """Return the path of a tiny upscaler at x2."""
    return str(tiny_upscaler(tmp_path / "tiny.onnx", scale=2))


def test_reads_pairs_and_their_scale(pairs: Path) -> None:
    examples = read_pairs(pairs)
    assert [(example.name, example.scale) for example in examples] == [("a", 2), ("grey", 2)]
    assert examples[1].high.shape == (40, 40, 3)


def test_a_folder_is_shrunk_bicubically(photos: Path) -> None:
    example = read_folder(photos, 4)[0]
    np.testing.assert_array_equal(example.low, shrink(example.high, 4))


def test_a_folder_is_degraded_practically_and_reproducibly(photos: Path) -> None:
    clean = read_folder(photos, 4)
    harmed = read_folder(photos, 4, degradation="practical", seed=3)
    for index, example in enumerate(harmed):
        expected = degrade(clean[index].high, 4, np.random.default_rng([3, index]))
        np.testing.assert_array_equal(example.low, expected)
        np.testing.assert_array_equal(example.high, clean[index].high)
    other = read_folder(photos, 4, degradation="practical", seed=4)
    assert any(not np.array_equal(a.low, b.low) for a, b in zip(harmed, other, strict=True))


def test_bicubic_beats_what_knows_nothing(pairs: Path) -> None:
    examples = read_pairs(pairs)
    bicubic, pictures = measure(
        "bicubic", find_method("bicubic", 2, device="cpu", threads=1), examples
    )
    black, _ = measure("black", lambda low: np.zeros_like(low.repeat(2, 0).repeat(2, 1)), examples)
    assert bicubic.psnr_y > black.psnr_y + 10
    assert bicubic.ssim_y > black.ssim_y
    np.testing.assert_array_equal(pictures[0], imresize(examples[0].low, 2))


def test_the_sheet_shows_every_method(pairs: Path, tmp_path: Path) -> None:
    examples = read_pairs(pairs)
    made = [[example.high for example in examples]]
    write_crops(tmp_path / "sheet.png", examples, ["perfect"], made, side=32)
    sheet = decode(tmp_path / "sheet.png")
    assert sheet.shape[1] == 3 * 32 + 2 * 4
    np.testing.assert_array_equal(sheet[18:50, 36:68], sheet[18:50, 72:104])


def test_the_command_prints_json(
    pairs: Path, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet = tmp_path / "out" / "sheet.png"
    words = ["evaluate", "upscale", "--pairs", str(pairs), "-m", "lanczos", "-m", model]
    assert cli.main([*words, "--json", "--device", "cpu", "--sheet", str(sheet)]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["scale"] == 2
    assert [result["model"] for result in report["results"]] == ["lanczos", model]
    for result in report["results"]:
        scores = [image["psnr_y"] for image in result["images"]]
        assert result["psnr_y"] == pytest.approx(np.mean(scores))
    assert sheet.exists()


def test_the_command_prints_a_table(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["evaluate", "upscale", "--data", str(photos), "-m", "bicubic"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 8
    assert lines[0].split() == ["bicubic"]
    assert lines[-1].startswith("mean")


def test_models_are_measured_without_and_with_self_ensemble(
    pairs: Path, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet = tmp_path / "sheet.png"
    words = ["evaluate", "upscale", "--pairs", str(pairs), "-m", "bicubic", "-m", model, "--tta"]
    assert cli.main([*words, "--json", "--device", "cpu", "--sheet", str(sheet)]) == 0
    results = json.loads(capsys.readouterr().out)["results"]
    assert [result["model"] for result in results] == ["bicubic", model, f"{model} +tta"]
    examples = read_pairs(pairs)
    for result, tta in ((results[1], False), (results[2], True)):
        enlarge = find_method(model, 2, device="cpu", threads=None, tta=tta)
        assert result["psnr_y"] == pytest.approx(measure(model, enlarge, examples)[0].psnr_y)
    # The picture's noisy kernel averages out.
    assert results[2]["psnr_y"] > results[1]["psnr_y"] + 0.1
    # Low resolution, three methods, truth: five columns of at most 64 pixels.
    assert decode(sheet).shape[1] == 5 * 64 + 4 * 4


def test_the_command_degrades_practically(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["evaluate", "upscale", "--data", str(photos), "-m", "bicubic", "--json"]
    means = []
    for options in ([], ["--degradation", "practical", "--seed", "5"]):
        assert cli.main([*words, *options]) == 0
        report = json.loads(capsys.readouterr().out)
        means.append(report["results"][0]["psnr_y"])
    assert (report["degradation"], report["seed"]) == ("practical", 5)
    examples = read_folder(photos, 4, degradation="practical", seed=5)
    enlarge = find_method("bicubic", 4, device="cpu", threads=1)
    assert means[1] == pytest.approx(measure("bicubic", enlarge, examples)[0].psnr_y)
    assert means[1] < means[0]


def test_wrong_use_is_said_clearly(
    pairs: Path, photos: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for options, words in (
        ([], "either as --pairs DIR or as --data DIR"),
        (["--pairs", str(photos)], "holds no pairs"),
        (["--data", str(photos), "-m", model, "--scale", "4"], "enlarges x2"),
        (["--pairs", str(pairs), "--degradation", "practical"], "give large pictures as --data"),
        (["--data", str(photos), "--degradation", "practical", "--seed=-1"], "a seed of -1"),
        (["--pairs", str(pairs), "-m", "nosuchmodel"], "nosuchmodel"),
    ):
        assert cli.main(["evaluate", "upscale", *options]) == 1
        assert words in capsys.readouterr().err


def test_pairs_that_do_not_belong_together_are_refused(pairs: Path) -> None:
    Picture(smooth_picture(0, 10, 30)).save(pairs / "a_LR.png", force=True)
    with pytest.raises(InputError, match="no whole multiple"):
        read_pairs(pairs)
    (pairs / "a_LR.png").unlink()
    with pytest.raises(InputError, match="has no partner"):
        read_pairs(pairs)


@pytest.mark.parametrize(
    ("sheet", "words"),
    [
        ("sheet.jpg", "a name that ends in .png"),
        ("file/sheet.png", "cannot be written"),
        ("file.png", "is a folder"),
    ],
)
def test_a_sheet_that_cannot_be_written_is_refused_before_measuring(
    sheet: str,
    words: str,
    pairs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "file.png").mkdir()
    monkeypatch.setattr(command, "measure", None)
    options = ["--pairs", str(pairs), "-m", "bicubic", "--sheet", str(tmp_path / sheet)]
    assert cli.main(["evaluate", "upscale", *options]) == 1
    assert words in capsys.readouterr().err


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="this system has no /proc")
def test_a_sheet_in_a_folder_that_cannot_be_made_is_an_error(pairs: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        command.upscale(model=("bicubic",), pairs=pairs, sheet=Path("/proc/anamorph/sheet.png"))


def test_pictures_too_small_for_ssim_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    Picture(smooth_picture(0, 16, 16)).save(folder / "a_HR.png")
    Picture(smooth_picture(0, 4, 4)).save(folder / "a_LR.png")
    for read in (read_pairs, lambda folder: read_folder(folder, 4)):
        with pytest.raises(InputError, match="too small to measure; give at least 19 x 19"):
            read(folder)


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "psnr", "ssim"),
    [
        ("Set5/x2", 33.67, None),
        ("Set5/x4", 28.43, 0.811),
        ("Set14/x2", 30.33, None),
        ("Set14/x4", 26.09, 0.705),
    ],
)
def test_bicubic_gives_the_literatures_figures(name: str, psnr: float, ssim: float | None) -> None:
    root = os.environ.get("ANAMORPH_DATA")
    if not root:
        pytest.skip("ANAMORPH_DATA is not set: the test sets are not here")
    scale = int(name[-1])
    examples = read_pairs(Path(root, "super_resolution", name))
    enlarge = find_method("bicubic", scale, device="cpu", threads=1)
    result, _ = measure("bicubic", enlarge, examples)
    assert result.psnr_y == pytest.approx(psnr, abs=0.005)
    if ssim is not None:
        assert result.ssim_y == pytest.approx(ssim, abs=0.0005)
    if name == "Set14/x4":
        comic = next(score for score in result.images if score.image.endswith("005"))
        assert comic.psnr_y == pytest.approx(21.69, abs=0.005)
