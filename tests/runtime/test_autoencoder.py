"""Codes of pictures: there and back, along a latent, between two, and drawn from the prior."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from tests.runtime.tiny_codes import LATENT, SIDE, tiny_autoencoder
from tests.runtime.tiny_models import tiny_upscaler

import anamorph
from anamorph.autoencoder import Autoencoder, load_codes
from anamorph.checking import check
from anamorph.errors import InputError, ModelFileError, ModelNotFoundError
from anamorph.loading import load_autoencoder
from anamorph.model_file import embed_card, read_card
from anamorph.picture import Picture


@pytest.fixture
def model(tmp_path: Path) -> Autoencoder:
    return load_autoencoder(tiny_autoencoder(tmp_path))


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3)).astype(np.uint8)


def test_either_file_of_a_family_loads_both(tmp_path: Path) -> None:
    encoder = tiny_autoencoder(tmp_path)
    for path in (encoder, tmp_path / "tiny.decoder.onnx"):
        model = anamorph.load(path)
        assert isinstance(model, anamorph.Autoencoder)
        assert model.card.role == "encoder"
    assert (model.latent_width, repr(model)) == (
        3,
        "Autoencoder(tiny@1, 3 latents, CPUExecutionProvider)",
    )


def test_a_missing_or_foreign_half_is_an_error(tmp_path: Path) -> None:
    encoder = tiny_autoencoder(tmp_path)
    other = tiny_autoencoder(tmp_path / "other", family_digest="d2")
    (tmp_path / "tiny.decoder.onnx").write_bytes(other.with_name("tiny.decoder.onnx").read_bytes())
    with pytest.raises(ModelFileError, match="use the files of one export"):
        anamorph.load(encoder)
    (tmp_path / "tiny.decoder.onnx").unlink()
    with pytest.raises(ModelNotFoundError, match=r"needs tiny\.decoder\.onnx beside it"):
        anamorph.load(encoder)


def test_files_of_two_exports_do_not_pass_for_one(tmp_path: Path) -> None:
    encoder = tiny_autoencoder(tmp_path, family_digest="d1")
    with pytest.raises(ModelFileError, match="were not exported together"):
        anamorph.load(encoder)


def test_a_downloaded_half_finds_the_other_at_its_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from anamorph import cache, download

    encoder = tiny_autoencoder(tmp_path / "server")
    monkeypatch.setenv("ANAMORPH_CACHE", str(tmp_path / "cache"))
    asked = []

    def fetch(address: str, *, progress: object = None) -> Path:
        asked.append(address.rpartition("/")[2])
        part = cache.new_part()
        part.write_bytes((tmp_path / "server" / asked[-1]).read_bytes())
        return cache.adopt(part, address)

    monkeypatch.setattr(download, "fetch", fetch)
    address = f"https://example.org/{encoder.name}"
    assert load_autoencoder(address).latent_width == 3
    assert load_autoencoder(fetch(address)).latent_width == 3  # as the command line loads it
    assert asked == [encoder.name, "tiny.decoder.onnx"] * 2


def test_other_models_are_refused_by_task(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="for 'upscale', not for 'reconstruct'"):
        load_autoencoder(tiny_upscaler(tmp_path / "x.onnx"))


def test_pictures_of_any_kind_become_codes_and_pictures(model: Autoencoder) -> None:
    pixels = noise(20, 31)
    code = model.encode(pixels)
    assert code.shape == (LATENT,)
    assert code.dtype == np.float32
    again = model.encode(Picture(pixels))
    assert np.array_equal(code, again)
    assert model.encode(pixels.astype(np.uint16) * 257) == pytest.approx(code, abs=1e-5)
    grey = np.full((5, 6), 128, np.uint8)
    assert model.encode(grey) == pytest.approx(model.encode(np.stack([grey] * 3, 2)), abs=1e-6)
    made = model.reconstruct(pixels)
    assert (made.height, made.width, made.mode) == (SIDE, SIDE, "RGB")
    assert made.origin == "tiny@1"


def test_a_side_that_is_too_long_is_refused(model: Autoencoder) -> None:
    with pytest.raises(InputError, match="up to 32,768 along each side"):
        model.encode(np.zeros((1, 40_000, 3), np.uint8))


def test_transparent_pictures_are_seen_on_white(model: Autoencoder) -> None:
    clear = np.zeros((4, 4, 4), np.uint8)
    white = np.full((4, 4, 3), 255, np.uint8)
    assert model.encode(clear) == pytest.approx(model.encode(white), abs=1e-6)


def test_examining_also_tells_the_posterior_and_the_classes(tmp_path: Path) -> None:
    model = load_autoencoder(tiny_autoencoder(tmp_path, labels=("cat", "dog")))
    found = model.examine(noise(4, 4))
    assert found["deviation"] == pytest.approx(np.exp(found["code"]))
    assert found["chances"].sum() == pytest.approx(1)


def test_a_traversal_moves_one_latent_alone(model: Autoencoder) -> None:
    code = np.array([0.3, -1, 2], np.float32)
    pictures = model.traverse(code, 1, low=-2, high=2, steps=5)
    for place, picture in zip((-2, -1, 0, 1, 2), pictures, strict=True):
        expected = model.decode([0.3, place, 2])[0]
        assert np.array_equal(picture.pixels, expected.pixels)
    with pytest.raises(InputError, match="latents 0 to 2"):
        model.traverse(code, 3)


def test_without_a_prior_traversals_are_in_deviations_and_nothing_is_drawn(tmp_path: Path) -> None:
    model = load_autoencoder(tiny_autoencoder(tmp_path, prior=""))
    assert model.middle().tolist() == pytest.approx([0, 0.1, 0.2])
    (there,) = model.traverse([0, 0, 0], 2, low=2, high=2, steps=1)
    assert np.array_equal(there.pixels, model.decode([0, 0, 2.2])[0].pixels)
    with pytest.raises(InputError, match="follow no known distribution"):
        model.sample(1)


def test_an_interpolation_begins_and_ends_at_its_pictures(model: Autoencoder) -> None:
    first, second = model.encode(noise(9, 9)), model.encode(noise(9, 9, 1))
    between = model.interpolate(first, second, steps=4)
    assert len(between) == 4
    assert np.array_equal(between[0].pixels, model.decode(first)[0].pixels)
    assert np.array_equal(between[-1].pixels, model.decode(second)[0].pixels)


def test_samples_follow_their_seed(model: Autoencoder) -> None:
    one, again, other = model.sample(70), model.sample(70), model.sample(70, seed=1)
    assert len(one) == 70
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(one, again, strict=True))
    assert any(not np.array_equal(a.pixels, b.pixels) for a, b in zip(one, other, strict=True))


def test_a_map_shows_a_latent_space_of_two(tmp_path: Path, model: Autoencoder) -> None:
    flat = load_autoencoder(tiny_autoencoder(tmp_path / "flat", latent=2))
    rows = flat.map(side=3, reach=1.5)
    assert np.array_equal(rows[0][2].pixels, flat.decode([1.5, 1.5])[0].pixels)
    assert np.array_equal(rows[2][0].pixels, flat.decode([-1.5, -1.5])[0].pixels)
    with pytest.raises(InputError, match="a map shows two"):
        model.map()


def test_latents_that_say_something_come_first(tmp_path: Path) -> None:
    from anamorph.card import Latent

    latents = tuple(
        Latent(mean=0, deviation=d, divergence=k) for d, k in ((1, 0.5), (0.01, 0.0), (1, 2.0))
    )
    model = load_autoencoder(tiny_autoencoder(tmp_path, latents=latents))
    assert model.active() == [2, 0]


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        ([1, 2], "takes"),
        ([[1, 2, np.nan]], "NaN"),
        ("abc", "no number"),
        (np.zeros((0, 3)), "takes"),
    ],
)
def test_what_is_no_code_is_refused(model: Autoencoder, codes: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        model.decode(codes)  # type: ignore[arg-type]


def test_codes_in_files_that_are_none_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "code.npy"
    np.save(file, np.array([{}], object), allow_pickle=True)
    with pytest.raises(InputError, match=r"no \.npy file of codes"):
        load_codes(file, "code.npy")
    np.save(file, np.array(["a"]))
    with pytest.raises(InputError, match="holds no numbers"):
        load_codes(file, "code.npy")
    file.write_bytes(b"junk")
    with pytest.raises(InputError, match=r"no \.npy file of codes"):
        load_codes(file, "code.npy")


def test_both_files_pass_the_check(tmp_path: Path) -> None:
    encoder = tiny_autoencoder(tmp_path, labels=("cat", "dog"))
    for path in (encoder, tmp_path / "tiny.decoder.onnx"):
        report = check(path)
        assert report.ok, report.findings
        assert [one.name for one in report.findings][3:-1] == [
            "shapes",
            "finite",
            "range",
            "batches",
            "determinism",
        ]


@pytest.mark.parametrize("lie", [{"latent_width": 5, "latents": ()}, {"height": 16}])
def test_a_card_that_lies_about_its_sizes_is_refused(tmp_path: Path, lie: dict[str, Any]) -> None:
    with pytest.raises(ModelFileError, match="its graph says"):
        anamorph.load(tiny_autoencoder(tmp_path, **lie))


def test_a_classifier_names_all_its_classes(tmp_path: Path) -> None:
    encoder = tiny_autoencoder(tmp_path, labels=("cat", "dog"))
    card = replace(read_card(encoder), labels=("cat", "dog", "hen"))
    encoder.write_bytes(embed_card(encoder.read_bytes(), card))
    with pytest.raises(ModelFileError, match="of class 3"):
        anamorph.load(encoder)
