"""Codes on the page and over HTTP: there and back, along a latent, and from the prior."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image, ImageSequence
from tests.runtime.tiny_codes import SIDE, tiny_autoencoder
from tests.ui.servers import Running, running
from tests.ui.test_routes import left_behind, upload
from tests.ui.zoos import TINY, tiny_zoo

from anamorph.autoencoder import Autoencoder
from anamorph.errors import InputError
from anamorph.loading import load_autoencoder
from anamorph.picture import Picture
from anamorph_ui import latent_codes as codes
from anamorph_ui.limits import Limits
from anamorph_ui.samples import CAT

Json = dict[str, Any]


@pytest.fixture
def model(tmp_path: Path) -> Autoencoder:
    return load_autoencoder(tiny_autoencoder(tmp_path))


@pytest.fixture(scope="module")
def client(coded: Running, tmp_path_factory: pytest.TempPathFactory) -> Client:
    return Client(coded.url, download_files=str(tmp_path_factory.mktemp("got")), verbose=False)


def autoencoder(coded: Running, name: str = "tiny") -> Autoencoder:
    model: Autoencoder = coded.workshop.shelf.load(name, task="reconstruct")
    return model


def test_sliders_stand_for_the_most_telling_latents_and_hold_their_values(
    tmp_path: Path,
) -> None:
    model = load_autoencoder(tiny_autoencoder(tmp_path, latent=20))
    code = [0.1 * i for i in range(20)]
    code[0] = -4.2
    found = codes.knobs(model, code)
    assert len(found) == codes.MOST_KNOBS
    assert [one.dim for one in found] == model.active()[: codes.MOST_KNOBS]
    first = next(one for one in found if one.dim == 0)
    assert (first.low, first.high, first.value) == (-5, 3, -4.2)
    assert found[1].label == f"Latent {found[1].dim}: 1.00 nats"
    assert (found[1].low, found[1].high, found[1].step) == (-3, 3, 0.01)


def test_sliders_without_a_prior_are_in_the_latents_own_units(tmp_path: Path) -> None:
    model = load_autoencoder(tiny_autoencoder(tmp_path, prior=""))
    third = next(one for one in codes.knobs(model, [0, 0, 0]) if one.dim == 2)
    assert (third.low, third.high) == pytest.approx((0.2 - 3, 0.2 + 3))


def test_a_click_in_the_map_leads_to_the_code_of_the_picture_there(tmp_path: Path) -> None:
    model = load_autoencoder(tiny_autoencoder(tmp_path, latent=2))
    sheet = codes.draw_map(model)
    assert sheet.width == sheet.height
    assert codes.find_in_map(model, 0.5, 0.5) == pytest.approx([0, 0])
    assert codes.find_in_map(model, 0.5 / 15, 0.5 / 15) == pytest.approx([-2.5, 2.5])
    code = codes.find_in_map(model, 12.5 / 15, 3.5 / 15)
    there = sheet.pixels[3 * 98 : 3 * 98 + 96 : 12, 12 * 98 : 12 * 98 + 96 : 12]
    assert np.array_equal(model.decode(code)[0].pixels, there)


def test_a_map_needs_two_numbers(model: Autoencoder) -> None:
    with pytest.raises(InputError, match="3 numbers, a map shows two"):
        codes.draw_map(model)


def test_a_code_is_told_with_its_deviation_and_chances(coded: Running) -> None:
    found = coded.client.post("/v1/encode", files=upload(CAT), data={"model": "tiny"})
    assert found.status_code == 200
    told = found.json()
    expected = autoencoder(coded).examine(CAT)
    assert told["code"] == pytest.approx(expected["code"].tolist())
    assert told["deviation"] == pytest.approx(expected["deviation"].tolist())
    assert list(told["chances"]) == ["cat", "<dog>"]
    assert sum(told["chances"].values()) == pytest.approx(1)
    assert left_behind(coded) == []
    plain = coded.client.post("/v1/encode", files=upload(CAT), data={"model": "plain"}).json()
    assert set(plain) == {"model", "code"}


def test_a_code_becomes_its_picture_and_several_a_sheet(coded: Running) -> None:
    code = [0.1, -2.0, 1.0, 0.0, 3.0]
    found = coded.client.post("/v1/decode", json={"model": "tiny", "code": code})
    assert found.headers["content-type"] == "image/png"
    expected = autoencoder(coded).decode(code)[0].pixels
    assert np.array_equal(Picture.open(found.content).pixels, expected)
    found = coded.client.post("/v1/decode", json={"model": "tiny", "code": [code] * 5})
    sheet = Picture.open(found.content)
    assert (sheet.width, sheet.height) == (3 * 98 - 2, 2 * 98 - 2)


def test_a_picture_is_reconstructed_as_the_library_does(coded: Running) -> None:
    found = coded.client.post("/v1/reconstruct", files=upload(CAT), data={"model": "tiny"})
    assert found.headers["content-disposition"] == 'attachment; filename="cat-tiny.png"'
    expected = autoencoder(coded).reconstruct(CAT).pixels
    assert np.array_equal(Picture.open(found.content).pixels, expected)


def test_a_latent_is_traversed_as_a_sheet_and_as_an_animation(coded: Running) -> None:
    data = {"model": "tiny", "dim": "1", "from": "-1", "to": "2", "steps": "4"}
    found = coded.client.post("/v1/traverse", files=upload(CAT), data=data)
    sheet = Picture.open(found.content)
    assert (sheet.width, sheet.height) == (4 * 98 - 2, 96)
    model = autoencoder(coded)
    last = model.traverse(model.encode(CAT), 1, low=-1, high=2, steps=4)[3].pixels
    assert np.array_equal(sheet.pixels[:: 96 // SIDE, 3 * 98 :: 96 // SIDE], last)
    found = coded.client.post("/v1/traverse", files=upload(CAT), data=data | {"format": "gif"})
    with Image.open(io.BytesIO(found.content)) as animation:
        assert len(ImageSequence.all_frames(animation)) == 6  # there and back


def test_the_way_to_a_second_picture_ends_there(coded: Running, tmp_path: Path) -> None:
    other = tmp_path / "other.png"
    Picture(np.full((9, 9, 3), (250, 10, 90), np.uint8)).save(other)
    files = upload(CAT) | {"to_image": ("other.png", other.read_bytes())}
    found = coded.client.post("/v1/traverse", files=files, data={"model": "tiny", "steps": "3"})
    sheet = Picture.open(found.content)
    last = autoencoder(coded).reconstruct(other).pixels
    assert np.array_equal(sheet.pixels[:: 96 // SIDE, 2 * 98 :: 96 // SIDE], last)


def test_the_same_seed_draws_the_same_pictures(coded: Running) -> None:
    made = [
        coded.client.post("/v1/generate", data={"model": "tiny", "count": "4", "seed": seed})
        for seed in ("1", "1", "2")
    ]
    assert made[0].content == made[1].content != made[2].content


@pytest.mark.parametrize(
    ("path", "data", "status", "message"),
    [
        ("encode", {"model": "nobody"}, 404, "nobody: no such model here; there are plain, tiny"),
        ("encode", {"model": "photo-x2"}, 422, "for 'upscale', not for 'reconstruct'"),
        ("encode", {"model": "../tiny"}, 404, "../tiny: no such model"),
        ("reconstruct", {"model": "tiny-detector"}, 422, "for 'detect', not for 'reconstruct'"),
        ("traverse", {"model": "tiny", "dim": "5"}, 422, "tiny@1 has latents 0 to 4"),
        ("traverse", {"model": "tiny", "dim": "-1"}, 422, "dim -1"),
        ("traverse", {"model": "tiny", "steps": "1"}, 422, "steps 1: give 2 to 64"),
        ("traverse", {"model": "tiny", "steps": "1000000000"}, 422, "give 2 to 64"),
        ("traverse", {"model": "tiny", "from": "nan"}, 422, "from: input should be a finite"),
        ("traverse", {"model": "tiny", "to": "1e300"}, 422, "give a place from -1000 to 1000"),
        ("traverse", {"model": "tiny", "format": "mp4"}, 422, "format: input should be 'png'"),
        ("generate", {"model": "tiny", "count": "0"}, 422, "count 0: give 1 to 256"),
        ("generate", {"model": "tiny", "count": "100000"}, 422, "give 1 to 256"),
        ("generate", {"model": "tiny", "seed": "-1"}, 422, "seed -1: give 0 or more"),
        ("generate", {"model": "plain"}, 422, "follow no known distribution"),
    ],
)
def test_what_makes_no_sense_is_told_in_a_sentence(
    coded: Running, path: str, data: dict[str, str], status: int, message: str
) -> None:
    files = upload(CAT) if path != "generate" else None
    found = coded.client.post(f"/v1/{path}", files=files, data=data)
    assert found.status_code == status
    assert message in found.json()["error"]
    assert left_behind(coded) == []


@pytest.mark.parametrize("path", ["encode", "reconstruct", "traverse"])
def test_a_picture_must_be_there_and_whole(coded: Running, path: str) -> None:
    found = coded.client.post(f"/v1/{path}", data={"model": "tiny"})
    assert (found.status_code, found.json()) == (422, {"error": "file: field required; see /docs"})
    broken = {"file": ("me.png", CAT.read_bytes()[:900])}
    found = coded.client.post(f"/v1/{path}", files=broken, data={"model": "tiny"})
    assert found.status_code == 422
    assert found.json()["error"].startswith("me.png: ")
    assert str(coded.workshop.folder) not in found.text


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"model": "tiny", "code": [1, 2]}, "tiny@1 takes (5,) or (n, 5)"),
        ({"model": "tiny", "code": []}, "code: list should have at least 1 item"),
        ({"model": "tiny", "code": [[0] * 5, [0] * 4]}, "holds what is no number"),
        ({"model": "tiny", "code": ["a"] * 5}, "holds what is no number"),
        ({"model": "tiny", "code": [None] * 5}, "a code holds"),
        ({"model": "tiny", "code": [[0] * 5] * 257}, "257 codes at once, 256 are the most"),
        ({"model": "tiny", "code": [[[0] * 5]]}, "codes of shape (1, 1, 5)"),
        ({"model": "tiny"}, "code: field required"),
    ],
)
def test_what_is_no_code_is_told_in_a_sentence(coded: Running, body: Json, message: str) -> None:
    found = coded.client.post("/v1/decode", json=body)
    assert found.status_code == 422
    assert message in found.json()["error"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e400"])
def test_a_code_of_no_finite_numbers_is_refused(coded: Running, number: str) -> None:
    body = f'{{"model": "tiny", "code": [0, 0, {number}, 0, 0]}}'
    headers = {"Content-Type": "application/json"}
    found = coded.client.post("/v1/decode", content=body, headers=headers)
    assert (found.status_code, "NaN or infinity" in found.text) == (422, True)


def test_large_pictures_are_refused(tmp_path: Path) -> None:
    with tiny_zoo(tmp_path), running(Limits(pixels=5000)) as strict:
        found = strict.client.post("/v1/encode", files=upload(CAT), data={"model": "tiny"})
        assert (found.status_code, "cat.jpg: 112 x 75" in found.text) == (422, True)


def test_a_program_explores_through_the_page(client: Client, coded: Running) -> None:
    before, after, words, chances = client.predict(handle_file(CAT), "tiny", api_name="/encode")
    code = autoencoder(coded).encode(CAT)
    assert 'alt="The picture that was given"' in before
    assert 'alt="The picture that tiny@1 makes of the code ' in after
    assert words.startswith(f"Code: {code[0]:.2f}, {code[1]:.2f}")
    assert "&lt;dog&gt;" in chances
    saved = client.predict("tiny", api_name="/save_code")
    path = saved["value"] if isinstance(saved, dict) else saved
    assert np.load(path) == pytest.approx(code)
    strip, files = client.predict("tiny", 4, -3, 3, 5, api_name="/traverse")
    assert "Pictures while latent 4 goes from -3 to 3" in strip
    assert [Path(one).suffix for one in files] == [".png", ".gif"]
    way, _ = client.predict("tiny", handle_file(CAT), 5, api_name="/interpolate")
    assert "data:image/png;base64," in way
    assert "16 pictures that tiny made" in client.predict("tiny", 16, 3, api_name="/generate")
    *_, words, _ = client.predict("plain", api_name="/middle")
    assert words == "Code: 0.00, 0.10, 0.20"


@pytest.mark.parametrize(
    ("arguments", "name", "message"),
    [
        ((handle_file(CAT), "photo-x2"), "/encode", "photo-x2"),
        (("tiny", None, 5), "/interpolate", "Give a second picture first"),
        (("tiny", 0, None, 3, 5), "/traverse", "Say from where to where"),
        (("tiny", 0, -3, 3, 100), "/traverse", "100"),
        (("plain", 4, 0), "/generate", "follow no known distribution"),
    ],
)
def test_errors_on_the_page_are_sentences(
    client: Client, coded: Running, arguments: tuple[object, ...], name: str, message: str
) -> None:
    with pytest.raises((AppError, ValueError)) as caught:
        client.predict(*arguments, api_name=name)
    assert message in str(caught.value)
    assert str(coded.workshop.folder) not in str(caught.value)


def test_exploring_leaves_no_empty_folders(client: Client, coded: Running) -> None:
    before = set(coded.workshop.page_folder.iterdir())
    client.predict("tiny", api_name="/middle")
    made = set(coded.workshop.page_folder.iterdir()) - before
    assert [one for one in made if not any(one.iterdir())] == []


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with tiny_zoo(tmp_path_factory.mktemp("bare"), models=False), running() as one:
        yield one


def test_without_models_the_page_says_how_to_get_one(bare: Running) -> None:
    page = bare.client.get("/config").text
    assert "anamorph train vae" in page
    assert "No detector is installed here" in page
    assert "No finder of outliers is installed here" in page
    client = Client(bare.url, verbose=False)
    for name, given in (("/encode", handle_file(CAT)), ("/detect", handle_file(CAT))):
        with pytest.raises((AppError, ValueError), match="no model"):
            client.predict(given, None, api_name=name)
    found = bare.client.post("/v1/encode", files=upload(CAT))
    assert found.json()["error"] == "faces: no such model here; there are none"
    assert found.status_code == 404


def test_how_fast_models_are(client: Client) -> None:
    for name, words in (
        ("tiny", "ms for a picture there and back"),
        ("tiny-detector", "ms for a picture ("),
        ("tiny-outliers", "ms for a picture ("),
    ):
        assert words in client.predict(name, api_name="/measure")


def test_models_are_listed_with_the_width_of_their_codes(coded: Running) -> None:
    listed = {one["name"]: one for one in coded.client.get("/v1/models").json()}
    assert set(TINY) <= set(listed)
    assert (listed["tiny-map"]["task"], listed["tiny-map"]["latent_width"]) == ("reconstruct", 2)
    assert listed["tiny-detector"]["latent_width"] is None
    shown = coded.client.get("/v1/models/tiny").json()["card"]
    assert (shown["role"], shown["labels"]) == ("encoder", ["cat", "<dog>"])
