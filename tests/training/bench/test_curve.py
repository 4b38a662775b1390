"""The curve is measured by the command line, fitted through the origin, and drawn as a PNG."""

import json
from pathlib import Path

import numpy as np
import pytest
from tests.runtime.tiny_models import tiny_upscaler

from anamorph.cli import main
from anamorph.picture import Picture
from anamorph_training.bench.cost import Cost
from anamorph_training.bench.drawing import draw_costs, fit_through_origin
from anamorph_training.bench.samples import paint_photograph

STRAIGHT = [Cost(size, 16 * size, 4 * size, 0.25, 150 + size) for size in (1.0, 4.0, 48.0)]


def test_a_line_through_the_origin_is_found_exactly() -> None:
    assert fit_through_origin(STRAIGHT) == pytest.approx((4.0, 1.0))


def test_a_start_that_costs_time_lowers_r_squared() -> None:
    late = [Cost(size, size, 10 + size, 1.0, 100) for size in (1.0, 2.0, 3.0)]
    slope, fit = fit_through_origin(late)
    assert slope == pytest.approx(74 / 14)  # sum of size x time over sum of size^2
    assert fit < 0


def test_given_costs_become_a_small_png_of_the_right_size(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    target = tmp_path / "cost.png"
    target.write_text("an older one")
    draw_costs(target, STRAIGHT, title="a model, 2 threads, PNG to PNG")
    pixels = Picture.open(target).pixels
    assert pixels.shape[:2] == (420, 1000)
    assert target.stat().st_size < 100_000
    corners = pixels[[0, 0, -1, -1], [0, -1, 0, -1], :3]
    assert (corners == 255).all()
    blue = (np.abs(pixels[:, :, :3].astype(int) - [0x1F, 0x5F, 0xA8]) < 3).all(axis=2)
    assert blue[:, :500].any()
    assert blue[:, 500:].any()
    assert [file.name for file in tmp_path.iterdir()] == ["cost.png"]


def test_costs_that_were_printed_before_are_drawn_without_measuring(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    earlier, target = tmp_path / "costs.json", tmp_path / "cost.png"
    costs = [vars(cost) for cost in STRAIGHT]
    earlier.write_text(json.dumps({"title": "a model", "costs": costs, "r_squared": 1}))
    assert main(["bench", "curve", str(target), "--costs", str(earlier), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["seconds_per_input_megapixel"] == pytest.approx(4)
    assert report["r_squared"] == pytest.approx(1)
    assert report["peak_growth"] == pytest.approx(198 / 151)
    assert report["costs"] == costs
    assert target.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("content", ["no json", '{"title": "a", "costs": []}', '{"title": "a"}'])
def test_a_file_that_holds_no_costs_is_refused(
    content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    earlier = tmp_path / "costs.json"
    earlier.write_text(content)
    assert main(["bench", "curve", str(tmp_path / "c.png"), "--costs", str(earlier)]) == 1
    assert str(earlier) in capsys.readouterr().err


def test_two_sizes_are_measured_and_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    model = str(tiny_upscaler(tmp_path / "tiny.onnx", scale=2))
    target = tmp_path / "images" / "cost.png"
    sizes = ["--megapixels", "0.01", "--megapixels", "0.03"]
    options = [*sizes, "--format", "tiff", "--threads", "1", "--json"]
    assert main(["bench", "curve", str(target), "-m", model, *options]) == 0
    captured = capsys.readouterr()
    report = json.loads(captured.out)
    assert report["title"] == "tiny-x2 (x2), 1 thread, PNG to TIFF"
    small, large = report["costs"]
    assert small["input_megapixels"] == pytest.approx(0.01, rel=0.01)
    assert large["output_megapixels"] == pytest.approx(0.12, rel=0.01)
    assert 20 < small["peak_mb"] < 500
    assert captured.err.count(" s per output megapixel") == 2
    assert Picture.open(target).pixels.shape[:2] == (420, 1000)


def test_what_cannot_be_done_is_refused_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib")
    from anamorph_training.bench import curve

    monkeypatch.setattr(curve, "measure_cost", lambda *_, **__: pytest.fail("it measured"))
    picture = str(tmp_path / "cost.png")
    assert main(["bench", "curve", str(tmp_path / "cost.jpg")]) == 1
    assert main(["bench", "curve", picture, "--megapixels", "0"]) == 2
    assert main(["bench", "curve", picture, "--format", "jpeg", "--megapixels", "250"]) == 1
    told = capsys.readouterr().err
    assert ".png" in told
    assert "exceed JPEG's limit" in told


def test_without_matplotlib_the_extra_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "matplotlib.figure", raising=False)
    assert main(["bench", "curve", str(tmp_path / "cost.png")]) == 1
    assert "pip install 'anamorph[bench]'" in capsys.readouterr().err


def test_the_painted_photograph_compresses_as_photographs_do(tmp_path: Path) -> None:
    file = tmp_path / "painted.png"
    paint_photograph(file, 300, 401)
    pixels = Picture.open(file).pixels
    assert pixels.shape == (300, 401, 3)
    assert pixels.dtype == np.uint8
    assert 0.5 < file.stat().st_size / pixels.size < 0.8  # what photographs of CID22 take
    spread = pixels.astype(float)
    assert 20 < spread.std() < 60
    assert np.abs(np.diff(spread, axis=1)).mean() < spread.std() / 3  # neighbours are alike
    again = tmp_path / "again.png"
    paint_photograph(again, 300, 401)
    assert (Picture.open(again).pixels == pixels).all()
