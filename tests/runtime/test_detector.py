"""What is not normal is found, drawn and masked; outliers are ranked by any score."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.runtime.tiny_codes import tiny_detector, tiny_outlier_finder

import anamorph
from anamorph.checking import check
from anamorph.errors import InputError, ModelFileError
from anamorph.loading import load_detector, load_outlier_finder
from anamorph.session import Session


def spotted(height: int = 30, width: int = 41) -> np.ndarray:
    picture = np.full((height, width, 3), 128, np.uint8)
    picture[5:10, 7:12] = 255
    return picture


def test_a_spot_is_found_where_it_is(tmp_path: Path) -> None:
    detector = anamorph.load(tiny_detector(tmp_path / "d.onnx"))
    assert isinstance(detector, anamorph.Detector)
    found = detector.detect(spotted())
    expected = np.zeros((30, 41), bool)
    expected[5:10, 7:12] = True
    assert np.array_equal(found.mask, expected)
    assert found.anomalous
    assert found.score == pytest.approx(0.5)
    assert (found.threshold, found.heat_threshold) == (0.4, 0.4)
    assert np.array_equal(found.mask_picture().pixels == 255, expected)
    assert not detector.detect(np.full((8, 9), 128, np.uint8)).anomalous


def test_heat_is_red_where_it_is_hot_and_the_picture_elsewhere(tmp_path: Path) -> None:
    found = load_detector(tiny_detector(tmp_path / "d.onnx")).detect(spotted())
    drawn = found.heat_picture().pixels.astype(int)
    red, green, blue = drawn[7, 9]
    assert red > green > blue or red > blue > green
    assert drawn[20, 20].tolist() == pytest.approx([128, 128, 128], abs=4)
    assert found.heat_picture().origin == "tiny-detector@1"


def test_heat_is_drawn_alike_from_top_to_bottom(tmp_path: Path) -> None:
    detector = load_detector(tiny_detector(tmp_path / "d.onnx"))
    tall = np.full((150, 20, 3), 128, np.uint8)
    tall[60:70, 5:9] = tall[140:, 5:9] = 255
    drawn = detector.detect(tall).heat_picture().pixels
    assert drawn.shape == tall.shape
    assert len(np.unique(drawn[60:70, 5:9].reshape(-1, 3), axis=0)) == 1
    assert np.array_equal(drawn[140:], drawn[60:70])
    assert np.array_equal(drawn[70:140], np.broadcast_to(drawn[0, 0], (70, 20, 3)))


def test_thresholds_can_be_chosen(tmp_path: Path) -> None:
    detector = load_detector(tiny_detector(tmp_path / "d.onnx"))
    found = detector.detect(spotted(), threshold=0.6, heat_threshold=0.6)
    assert not found.anomalous
    assert not found.mask.any()
    with pytest.raises(InputError, match="finite"):
        detector.detect(spotted(), threshold=float("nan"))


def test_strangeness_is_counted_from_the_normal_to_the_threshold(tmp_path: Path) -> None:
    finder = anamorph.load(tiny_outlier_finder(tmp_path / "o.onnx"))
    assert isinstance(finder, anamorph.OutlierFinder)
    assert finder.scores == ("neighbours", "elbo")
    for brightness, strangeness in ((0.2, 0), (0.5, 1), (0.8, 2)):
        picture = np.full((6, 7, 3), brightness, np.float32)
        found = finder.measure(picture)
        assert found.strangeness == pytest.approx(strangeness, abs=1e-5)
        assert found.by == "neighbours"
        assert found.outlier == (strangeness > 1)
        assert found.scores["elbo"] == pytest.approx(-brightness)


def test_any_of_several_scores_makes_an_outlier(tmp_path: Path) -> None:
    finder = load_outlier_finder(tiny_outlier_finder(tmp_path / "o.onnx"))
    dark = np.zeros((4, 4, 3), np.uint8)
    assert not finder.measure(dark).outlier
    found = finder.measure(dark, by=("neighbours", "elbo"))
    assert found.outlier
    assert found.by == "elbo"
    with pytest.raises(InputError, match="has neighbours, elbo"):
        finder.measure(dark, by=("density",))


def test_what_is_no_number_is_an_error_and_not_normal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = np.full((4, 4, 3), np.float32(0.5))
    detector = load_detector(tiny_detector(tmp_path / "d.onnx"))
    finder = load_outlier_finder(tiny_outlier_finder(tmp_path / "o.onnx"))
    run = Session.run_named

    def nothing(session: Session, inputs: Any) -> dict[str, Any]:
        return {name: value * np.nan for name, value in run(session, inputs).items()}

    monkeypatch.setattr(Session, "run_named", nothing)
    with pytest.raises(ModelFileError, match="anamorph check"):
        detector.detect(broken)
    with pytest.raises(ModelFileError, match="anamorph check"):
        finder.measure(broken)


def test_both_kinds_pass_the_check(tmp_path: Path) -> None:
    for path in (tiny_detector(tmp_path / "d.onnx"), tiny_outlier_finder(tmp_path / "o.onnx")):
        report = check(path)
        assert report.ok, report.findings


def test_a_card_without_calibration_is_refused(tmp_path: Path) -> None:
    for make in (tiny_detector, tiny_outlier_finder):
        with pytest.raises(ModelFileError, match="that belong to it"):
            anamorph.load(make(tmp_path / "x.onnx", calibrations={}))
