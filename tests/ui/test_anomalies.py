"""What is not normal, and what is strange, on the page and over HTTP."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from tests.runtime.tiny_codes import QUANTILES, tiny_detector, tiny_outlier_finder
from tests.ui.servers import Running, running
from tests.ui.test_routes import left_behind, upload
from tests.ui.zoos import tiny_zoo

import anamorph
from anamorph.card import Calibration
from anamorph.detector import Detection, Detector
from anamorph.picture import Picture
from anamorph_ui import anomalies
from anamorph_ui.limits import Limits
from anamorph_ui.samples import CAT

NORMAL = Calibration(threshold=0.4, false_positive_rate=0.05, quantiles=QUANTILES)


@pytest.fixture(scope="module")
def client(coded: Running, tmp_path_factory: pytest.TempPathFactory) -> Client:
    return Client(coded.url, download_files=str(tmp_path_factory.mktemp("got")), verbose=False)


def grey(folder: Path, name: str, level: int) -> Path:
    """Write a grey picture, which is the stranger the brighter it is."""
    path = folder / name
    Picture(np.full((12, 10), level, np.uint8)).save(path)
    return path


def found(heat: np.ndarray, **changes: Any) -> Detection:
    picture = np.zeros((*heat.shape, 3), np.uint8)
    first = Detection(picture, heat.astype(np.float32), 0.5, 0.4, 0.4, "tiny@1")
    return replace(first, **changes)


def test_the_verdict_says_the_score_beside_the_threshold() -> None:
    heat = np.zeros((10, 10))
    heat[0, :5] = 1
    assert anomalies.say(found(heat)) == (
        "**Not normal**: its score 0.5 is above the threshold 0.4; 5.0% of its area is hotter "
        "than 0.4."
    )
    assert anomalies.say(found(heat, threshold=0.6)).startswith(
        "**Normal**: its score 0.5 is not above the threshold 0.6"
    )


def test_large_heat_is_reduced_and_keeps_what_is_hottest() -> None:
    heat = np.zeros((4001, 2000))
    heat[4000, 1999] = 7
    small = anomalies.reduce(found(heat))
    assert small.heat.shape == small.picture.shape[:2] == (1334, 667)
    assert small.heat[-1, -1] == 7
    assert anomalies.reduce(small) is small
    assert small.heat_picture().width == 667


def test_the_chart_marks_the_threshold_and_where_a_score_lies() -> None:
    chart = anomalies.draw_normal(NORMAL, 0.3, threshold=0.4, name="score")
    assert "score 0.3 lies above 75% of the normal pictures; the threshold is 0.4" in chart
    assert "threshold 0.4<" in chart
    assert "this one 0.3<" in chart
    assert len(re.findall("<polyline", chart)) == 1


@pytest.mark.parametrize("quantiles", [{}, {"0.5": 0.1}, {"half": 1.0, "0.5": 0.1, "7": 9.0}])
def test_odd_quantiles_are_drawn_as_far_as_they_go(quantiles: dict[str, float]) -> None:
    normal = Calibration(threshold=0.4, false_positive_rate=0.1, quantiles=quantiles)
    assert "<svg" in anomalies.draw_normal(normal, -1e9, threshold=0.4, name="<elbo>")
    low, high = anomalies.bounds(normal, -1e9)
    assert low < -1e9 < 0.4 < high


def test_figures_heat_and_mask_are_those_of_the_library(coded: Running) -> None:
    expected = coded.workshop.shelf.load("tiny-detector").detect(CAT)
    told = coded.client.post("/v1/detect", files=upload(CAT), data={"model": "tiny-detector"})
    assert told.json() == {
        "model": "tiny-detector@1",
        "score": pytest.approx(expected.score),
        "threshold": 0.4,
        "heat_threshold": 0.4,
        "anomalous": True,
        "area": pytest.approx(expected.mask.mean()),
    }
    for answer, picture in (("heat", expected.heat_picture()), ("mask", expected.mask_picture())):
        data = {"model": "tiny-detector", "answer": answer}
        made = coded.client.post("/v1/detect", files=upload(CAT), data=data)
        assert f'filename="cat-{answer}.png"' in made.headers["content-disposition"]
        assert np.array_equal(Picture.open(made.content).pixels, picture.pixels)
    assert left_behind(coded) == []


def test_thresholds_reach_the_library(coded: Running) -> None:
    data = {"model": "tiny-detector", "threshold": "0.9", "heat_threshold": "-1"}
    told = coded.client.post("/v1/detect", files=upload(CAT), data=data).json()
    assert (told["anomalous"], told["threshold"], told["area"]) == (False, 0.9, 1.0)


def test_the_strangest_come_first_and_broken_ones_last(coded: Running, tmp_path: Path) -> None:
    paths = [grey(tmp_path, "dark.png", 20), grey(tmp_path, "bright.png", 220)]
    files = [("files", (one.name, one.read_bytes())) for one in paths]
    files += [("files", ("broken.png", b"no picture " * 20)), files[0]]
    ranked = coded.client.post("/v1/outliers", files=files, data={"model": "tiny-outliers"}).json()
    assert [one["file"] for one in ranked] == ["bright.png", "dark.png", "dark-2.png", "broken.png"]
    first = ranked[0]
    assert (first["by"], first["outlier"]) == ("neighbours", True)
    assert first["scores"]["elbo"] == pytest.approx(-220 / 255)
    assert first["strangeness"] == pytest.approx((220 / 255 - 0.2) / 0.3)
    assert ranked[3]["error"].startswith("broken.png: a text file")
    data = {"model": "tiny-outliers", "score": ["elbo"]}
    ranked = coded.client.post("/v1/outliers", files=files, data=data).json()
    assert ranked[0]["file"] == "dark.png"
    assert ranked[0]["by"] == "elbo"


@pytest.mark.parametrize(
    ("path", "data", "status", "message"),
    [
        ("detect", {"model": "nobody"}, 404, "nobody: no such model here; there are tiny-detector"),
        ("detect", {"model": "tiny-outliers"}, 422, "for 'outliers', not for 'detect'"),
        ("detect", {"model": "tiny-detector", "threshold": "nan"}, 422, "threshold: input should"),
        ("detect", {"model": "tiny-detector", "answer": "all"}, 422, "answer: input should be"),
        ("outliers", {"model": "tiny"}, 422, "for 'reconstruct', not for 'outliers'"),
        ("outliers", {"model": "tiny-outliers", "score": "luck"}, 422, "has neighbours, elbo"),
    ],
)
def test_what_makes_no_sense_is_told_in_a_sentence(
    coded: Running, path: str, data: dict[str, str], status: int, message: str
) -> None:
    field = "file" if path == "detect" else "files"
    files = {field: ("cat.jpg", CAT.read_bytes())}
    answer = coded.client.post(f"/v1/{path}", files=files, data=data)
    assert answer.status_code == status
    assert message in answer.json()["error"]


def test_pictures_must_be_there_and_whole(coded: Running) -> None:
    for path, field in (("detect", "file"), ("outliers", "files")):
        model = {"model": "tiny-detector" if path == "detect" else "tiny-outliers"}
        answer = coded.client.post(f"/v1/{path}", data=model)
        assert answer.json() == {"error": f"{field}: field required; see /docs"}
        broken = {field: ("me.png", CAT.read_bytes()[:900])}
        answer = coded.client.post(f"/v1/{path}", files=broken, data=model)
        assert answer.status_code == 422
        assert answer.json()["error"].startswith("me.png: ")
        assert str(coded.workshop.folder) not in answer.text


def test_too_many_files_and_large_ones_are_refused(tmp_path: Path) -> None:
    with tiny_zoo(tmp_path), running(Limits(files=2, pixels=5000)) as strict:
        files = [("files", ("cat.jpg", CAT.read_bytes()))] * 3
        data = {"model": "tiny-outliers"}
        answer = strict.client.post("/v1/outliers", files=files, data=data)
        assert answer.json() == {"error": "3 files at once, give 1 to 2"}
        answer = strict.client.post("/v1/outliers", files=files[:2], data=data)
        assert (answer.status_code, "cat.jpg: 112 x 75" in answer.text) == (422, True)
        answer = strict.client.post(
            "/v1/detect", files=upload(CAT), data={"model": "tiny-detector"}
        )
        assert (answer.status_code, "cat.jpg: 112 x 75" in answer.text) == (422, True)


def test_own_models_are_used_and_those_without_calibration_refused(
    coded: Running, tmp_path: Path
) -> None:
    path = tiny_detector(tmp_path / "mine.onnx", name="mine")
    added = coded.client.post("/v1/models", files=upload(path)).json()
    told = coded.client.post("/v1/detect", files=upload(CAT), data={"model": added["name"]})
    assert told.json()["score"] == pytest.approx(anamorph.load(path).detect(CAT).score)
    bare = [
        tiny_detector(tmp_path / "bare.onnx", calibrations={}),
        tiny_outlier_finder(tmp_path / "half.onnx", calibrations={"neighbours": NORMAL}),
    ]
    for one, score in zip(bare, ("heat", "elbo"), strict=True):
        refused = coded.client.post("/v1/models", files=upload(one))
        assert refused.status_code == 422
        assert f"{one.name}: its card does not say what {score} normal" in refused.json()["error"]


def test_a_program_finds_anomalies_through_the_page(client: Client) -> None:
    said, shown, chart, *_ = client.predict(handle_file(CAT), "tiny-detector", api_name="/detect")
    assert said.startswith("**Not normal**: its score 0.4987 is above the threshold 0.4")
    assert len(re.findall(r'<img [^>]*alt="[^"]+"', shown)) == 2
    assert "this one 0.499" in chart


def test_a_program_ranks_pictures_through_the_page(client: Client, tmp_path: Path) -> None:
    files = [handle_file(grey(tmp_path, f"{name}.png", name)) for name in (20, 220, 120)]
    said, gallery, chart, table = client.predict(
        files, "tiny-outliers", ["neighbours"], api_name="/outliers"
    )
    assert said == "1 of 3 pictures are outliers."
    captions = re.findall("<figcaption>(.*?)</figcaption>", gallery)
    assert captions[0] == "220.png: 2.21 by neighbours, an outlier"
    assert [one.split(".")[0] for one in captions] == ["220", "120", "20"]
    assert "this one 0.863" in chart
    assert re.findall("<th scope='row'>(.*?)</th>", table) == ["220.png", "120.png", "20.png"]


@pytest.mark.parametrize(
    ("arguments", "name", "message"),
    [
        ((None, "tiny-detector"), "/detect", "Give a picture first"),
        ((handle_file(CAT), "tiny"), "/detect", "tiny"),
        (([], "tiny-outliers", ["neighbours"]), "/outliers", "Give pictures first"),
        (([handle_file(CAT)], "tiny-outliers", ["luck"]), "/outliers", "luck"),
    ],
)
def test_errors_on_the_page_are_sentences(
    client: Client, coded: Running, arguments: tuple[object, ...], name: str, message: str
) -> None:
    with pytest.raises((AppError, ValueError)) as caught:
        client.predict(*arguments, api_name=name)
    assert message in str(caught.value)
    assert str(coded.workshop.folder) not in str(caught.value)


@pytest.mark.parametrize(
    ("heat", "message"),
    [(np.full((75, 112), np.nan), "makes NaN or infinity"), (np.zeros((9, 9)), "of another size")],
)
def test_a_model_that_makes_nonsense_is_told_of(
    coded: Running, monkeypatch: pytest.MonkeyPatch, heat: np.ndarray, message: str
) -> None:
    made = replace(found(np.zeros((75, 112))), heat=heat)
    monkeypatch.setattr(Detector, "detect", lambda *arguments, **options: made)
    answer = coded.client.post("/v1/detect", files=upload(CAT), data={"model": "tiny-detector"})
    assert answer.status_code == 422
    assert message in answer.json()["error"]
