"""The verbs for codes, anomalies, outliers and divergences, from files to files."""

import json
from pathlib import Path

import numpy as np
import pytest
from tests.runtime.tiny_codes import (
    SIDE,
    tiny_autoencoder,
    tiny_detector,
    tiny_outlier_finder,
)

from anamorph.autoencoder import Autoencoder
from anamorph.cli import main
from anamorph.loading import load_autoencoder
from anamorph.picture import Picture


@pytest.fixture
def encoder(tmp_path: Path) -> str:
    return str(tiny_autoencoder(tmp_path / "models"))


@pytest.fixture
def model(encoder: str) -> Autoencoder:
    return load_autoencoder(encoder)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, brightness in enumerate((40, 230, 128)):
        pixels = np.full((12, 9, 3), brightness, np.uint8)
        pixels[2:4, 3:5] = 255 - brightness
        Picture(pixels).save(folder / f"{number}.png")
    return folder


def test_a_picture_becomes_a_code_and_a_picture_again(
    photos: Path, encoder: str, model: Autoencoder, tmp_path: Path
) -> None:
    picture, code, back = photos / "0.png", tmp_path / "code.npy", tmp_path / "back.png"
    assert main(["reconstruct", str(picture), "-m", encoder, "-o", str(code)]) == 0
    assert np.load(code) == pytest.approx(model.encode(picture))
    assert main(["reconstruct", str(code), "-m", encoder, "-o", str(back)]) == 0
    assert np.array_equal(Picture.open(back).pixels, model.reconstruct(picture).pixels)
    assert main(["reconstruct", str(picture), "-m", encoder]) == 0
    beside = Picture.open(photos / "0-reconstructed.png")
    assert np.array_equal(beside.pixels, model.reconstruct(picture).pixels)


def test_a_folder_is_encoded_past_a_bad_file(
    photos: Path, encoder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "bad.png").write_bytes(b"junk")
    out = tmp_path / "codes"
    assert main(["reconstruct", str(photos), "-m", encoder, "-o", str(out), "--to", "code"]) == 1
    assert sorted(p.name for p in out.iterdir()) == ["0.npy", "1.npy", "2.npy"]
    assert "bad.png" in capsys.readouterr().err


def test_outputs_are_kept_unless_forced(
    photos: Path, encoder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["reconstruct", str(photos / "0.png"), "-m", encoder]
    assert main(command) == 0
    assert main(command) == 1
    assert "exists already" in capsys.readouterr().err
    assert main([*command, "--force"]) == 0


def test_a_traversal_is_a_row_for_each_latent(
    photos: Path, encoder: str, model: Autoencoder, tmp_path: Path
) -> None:
    picture, sheet = photos / "1.png", tmp_path / "sheet.png"
    command = ["traverse", str(picture), "-m", encoder, "-o", str(sheet), "--steps", "4"]
    assert main([*command, "--dim", "2", "--dim", "0", "--from", "-1", "--to", "2"]) == 0
    drawn, zoom = Picture.open(sheet).pixels, 96 // SIDE
    assert drawn.shape == (2 * 98 - 2, 4 * 98 - 2, 3)
    expected = model.traverse(model.encode(picture), 0, low=-1, high=2, steps=4)[3].pixels
    assert np.array_equal(drawn[98::zoom, 3 * 98 :: zoom], expected)
    assert main([*command, "--force"]) == 0
    assert Picture.open(sheet).height == 3 * 98 - 2


def test_an_animation_goes_there_and_back(photos: Path, encoder: str, tmp_path: Path) -> None:
    from PIL import Image

    film = tmp_path / "film.gif"
    pair = [str(photos / "0.png"), "--to-image", str(photos / "1.png")]
    assert main(["traverse", *pair, "-m", encoder, "-o", str(film), "--steps", "5"]) == 0
    with Image.open(film) as frames:
        assert frames.n_frames == 8  # type: ignore[attr-defined]
        assert frames.size == (96, 96)
        assert frames.info["duration"] == pytest.approx(3000 / 8, abs=10)


def test_without_a_picture_the_middle_of_all_codes_moves(encoder: str, tmp_path: Path) -> None:
    assert main(["traverse", "-m", encoder, "-o", str(tmp_path / "t.png")]) == 0
    assert main(["traverse", "-m", encoder]) == 2


def test_pictures_are_drawn_as_a_sheet_or_into_a_folder(encoder: str, tmp_path: Path) -> None:
    sheet, folder = tmp_path / "sheet.png", tmp_path / "drawn"
    assert main(["generate", "-m", encoder, "-o", str(sheet), "--count", "5"]) == 0
    assert Picture.open(sheet).pixels.shape == (2 * 98 - 2, 3 * 98 - 2, 3)
    assert main(["generate", "-m", encoder, "-o", str(folder), "--count", "3"]) == 0
    assert len(list(folder.iterdir())) == 3
    assert main(["generate", "-m", encoder, "-o", str(folder), "--count", "3"]) == 1
    assert main(["generate", "-m", encoder, "-o", str(tmp_path / "m.png"), "--map"]) == 1


def test_a_map_shows_a_latent_space_of_two(tmp_path: Path) -> None:
    flat = str(tiny_autoencoder(tmp_path, latent=2))
    assert main(["generate", "-m", flat, "-o", str(tmp_path / "map.png"), "--map"]) == 0
    assert Picture.open(tmp_path / "map.png").width == 15 * 98 - 2


@pytest.mark.parametrize(
    "options",
    [
        ["traverse", "x.png", "--steps", "1"],
        ["traverse", "x.png", "--seconds", "0"],
        ["traverse", "x.png", "--to-image", "y.png", "--dim", "1"],
        ["generate", "-o", "x.png", "--count", "0"],
        ["generate", "-o", "x", "--map"],
        ["outliers", "--top", "0", "."],
        ["outliers"],
        ["detect", "-"],
        ["reconstruct", "-"],
        ["divergence", "3,x"],
        ["divergence", "3,4", "binomial:z"],
        ["divergence", "--fit", "binomial", "--split", "2"],
        ["divergence", "--split", "2"],
        ["reconstruct", "x.png", "-o", "y.png", "--to", "code"],
    ],
)
def test_what_makes_no_sense_is_a_usage_error(
    options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(options) == 2
    assert f"see: anamorph {options[0]} --help" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["traverse", "generate", "reconstruct", "detect", "outliers"])
def test_help_teaches_by_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    main([verb, "--help"])
    assert f"anamorph {verb} " in capsys.readouterr().out


def test_what_is_not_normal_is_drawn_and_masked(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    detector = str(tiny_detector(tmp_path / "d.onnx"))
    assert main(["detect", str(photos), "-m", detector, "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["anomalous"] for one in lines] == [False, True, False]
    assert lines[1]["score"] == pytest.approx(0.402, abs=0.01)
    made = {p.name for p in (tmp_path / "photos-heat").iterdir()}
    assert made == {f"{i}{kind}.png" for i in range(3) for kind in ("", "-mask")}
    mask = Picture.open(tmp_path / "photos-heat" / "1-mask.png").pixels
    assert (mask == 255).mean() == pytest.approx(lines[1]["area"])
    picture = str(photos / "1.png")
    assert main(["detect", picture, "-m", detector, "--threshold", "0.6"]) == 0
    assert (photos / "1-heat.png").is_file()
    assert (photos / "1-mask.png").is_file()
    assert "normal: 0.4" in capsys.readouterr().err


def test_masks_never_take_the_place_of_inputs_or_outputs(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    detector = str(tiny_detector(tmp_path / "d.onnx"))
    (photos / "0-mask.png").write_bytes((photos / "1.png").read_bytes())
    before = (photos / "0-mask.png").read_bytes()
    for command in (
        [str(photos / "0.png"), str(photos / "0-mask.png"), "--force"],
        [str(photos), "-o", str(tmp_path / "out")],
        [str(photos / "0-mask.png"), "-o", str(photos / "0.png"), "--force"],
    ):
        assert main(["detect", *command, "-m", detector]) == 1
        assert "would be the mask of" in capsys.readouterr().err
    assert (photos / "0-mask.png").read_bytes() == before
    assert not (tmp_path / "out").exists()


def test_a_mask_that_an_interrupted_run_left_is_written_anew(photos: Path, tmp_path: Path) -> None:
    detector = str(tiny_detector(tmp_path / "d.onnx"))
    (photos / "1-mask.png").write_bytes(b"half")
    command = ["detect", str(photos / "1.png"), "-m", detector]
    assert main(command) == 1
    assert main([*command, "--skip-existing"]) == 0
    assert Picture.open(photos / "1-mask.png").width == 9


def test_an_input_is_never_its_own_output(photos: Path, encoder: str, tmp_path: Path) -> None:
    picture = str(photos / "0.png")
    before = (photos / "0.png").read_bytes()
    finder = str(tiny_outlier_finder(tmp_path / "o.onnx"))
    assert main(["traverse", picture, "-m", encoder, "-o", picture, "--force"]) == 1
    assert main(["outliers", picture, "-m", finder, "-o", picture, "--force"]) == 1
    assert (photos / "0.png").read_bytes() == before


def test_codes_and_pictures_of_one_name_are_refused(
    photos: Path, encoder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(photos / "0.npy", np.zeros(3, np.float32))
    assert main(["reconstruct", str(photos), "-m", encoder, "-o", str(tmp_path / "out")]) == 1
    assert "would both be written" in capsys.readouterr().err
    np.save(tmp_path / "two.npy", np.zeros((2, 3), np.float32))
    np.save(tmp_path / "wide.npy", np.zeros(4, np.float32))
    for name, message in (("two", "holds 2 codes"), ("wide", "takes (3,)")):
        assert main(["reconstruct", str(tmp_path / f"{name}.npy"), "-m", encoder]) == 1
        assert message in capsys.readouterr().err


def test_the_strangest_come_first_and_are_drawn(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    finder, sheet = str(tiny_outlier_finder(tmp_path / "o.onnx")), tmp_path / "strange.png"
    (photos / "bad.png").write_bytes(b"junk")
    command = ["outliers", str(photos), "-m", finder]
    assert main([*command, "-o", str(sheet), "--top", "2"]) == 1
    told = capsys.readouterr()
    assert [line.split()[-1][-5:] for line in told.out.splitlines()] == ["1.png", "2.png"]
    assert "bad.png" in told.err
    assert "2 of 3 pictures are outliers" in told.err
    assert Picture.open(sheet).width == 2 * 130 - 2
    (photos / "bad.png").unlink()
    assert main([*command, "--score", "elbo", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["input"][-5:] for one in lines] == ["0.png", "2.png", "1.png"]
    assert main([*command, "--score", "density"]) == 1
    assert "has neighbours, elbo" in capsys.readouterr().err


def test_a_model_of_two_files_is_listed_and_checked_as_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["models", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (faces,) = (one for one in lines if one["name"] == "faces")
    assert faces["bytes"] > 2_000_000
    assert main(["check", "digits-2d"]) == 0
    told = capsys.readouterr().out
    assert "digits-2d: ok" in told
    assert "digits-2d.decoder.onnx: ok" in told


def test_the_lectures_figures_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["divergence", "teeth", "binomial:0.57", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert round(found["kl_observed_expected"], 3) == 0.477
    assert round(found["kl_expected_observed"], 3) == 0.330
    assert main(["divergence"]) == 0
    assert "0.338" in capsys.readouterr().out


def test_the_curve_of_a_fit_is_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    curve = tmp_path / "curve.svg"
    command = ["divergence", "teeth", "--fit", "two-level", "--split", "6", "-o", str(curve)]
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["p"] == pytest.approx(0.47, abs=0.005)
    assert "least 0.338 bits at p = 0.47" in curve.read_text()
    assert main(command) == 1
    bars = tmp_path / "bars.svg"
    assert main(["divergence", "1,2", "2,1", "-o", str(bars)]) == 0
    assert bars.read_text().count("<rect") == 6  # four bars and two keys
    assert main(["divergence", "1,2", "2,1", "-o", str(tmp_path / "bars.png")]) == 1
