"""The class `Upscaler` in memory: what it keeps of a picture."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.runtime.sample_pictures import LopsidedSession, NearestSession, card, sample

from anamorph.errors import InputError, ModelFileError
from anamorph.picture import Picture
from anamorph.pixels import ArrayPixels
from anamorph.upscaler import Upscaler
from anamorph.upscaling import quantise


def enlarged(pixels: np.ndarray, scale: int = 2) -> np.ndarray:
    return pixels.repeat(scale, 0).repeat(scale, 1)


@pytest.mark.parametrize("bands", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("tile", [None, 16])
def test_depth_mode_and_values_stay(bands: int, dtype: str, tile: int | None) -> None:
    pixels = sample(41, 37, bands, dtype)
    result = Upscaler(NearestSession()).upscale(Picture(pixels), tile=tile)
    assert result.pixels.dtype == pixels.dtype
    expected, got = enlarged(pixels), result.bands
    if bands in (2, 4):
        visible = expected[:, :, -1] > 0
        assert (got[~visible, -1] == 0).all()
        expected, got = expected[visible], got[visible]
    if dtype == "float32":
        np.testing.assert_allclose(got, expected, atol=1e-6)
    else:
        np.testing.assert_array_equal(got, expected)


def test_metadata_stays_and_origin_is_added() -> None:
    picture = Picture(sample(), icc=b"profile", dpi=300, exif=b"Exif..", xmp=b"<x/>")
    result = Upscaler(NearestSession()).upscale(picture)
    assert result.metadata == picture.metadata
    assert result.origin == "fake-x2@1"


def test_everything_that_holds_a_picture_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Picture(sample()).save(path)
    upscaler = Upscaler(NearestSession())
    forms = (path, str(path), path.read_bytes(), Picture(sample()), sample(), Image.open(path))
    for form in forms:
        np.testing.assert_array_equal(upscaler.upscale(form).pixels, enlarged(sample()))


def test_other_things_are_refused() -> None:
    with pytest.raises(InputError, match="type int; accepted are a path"):
        Upscaler(NearestSession()).upscale(3)  # type: ignore[arg-type]


def test_device_provider_and_card_are_visible() -> None:
    upscaler = Upscaler(NearestSession())
    assert (upscaler.device, upscaler.provider) == ("cpu", "NumPy")
    assert upscaler.card.scale == 2
    assert repr(upscaler) == "Upscaler(fake-x2@1, x2, NumPy)"


def test_a_grey_picture_runs_once() -> None:
    fake = NearestSession()
    Upscaler(fake).upscale(sample(bands=1))
    assert fake.shapes == [(1, 3, 24, 30)]


@pytest.mark.parametrize("bands", [2, 4])
def test_a_constant_alpha_is_not_run_and_stays_exact(bands: int) -> None:
    pixels = sample(bands=bands)
    pixels[:, :, -1] = 137
    fake = NearestSession()
    result = Upscaler(fake).upscale(pixels)
    assert (result.bands[:, :, -1] == 137).all()
    assert len(fake.shapes) == 1


class Darkening(LopsidedSession):
    """Loses light everywhere, as a network with zero padding does at borders."""

    def run(self, batch: np.ndarray) -> np.ndarray:
        return super().run(batch) * np.float32(0.98)


@pytest.mark.parametrize("tile", [None, 20])
def test_what_is_opaque_stays_opaque(tile: int | None) -> None:
    pixels = sample(50, 50, 4)
    pixels[:, :, 3] = 255
    pixels[20:30, 20:30, 3] = 0
    fake = Darkening(card(context_before=4, context_after=4))
    alpha = Upscaler(fake).upscale(pixels, tile=tile).pixels[:, :, 3]
    assert (alpha[:38] == 255).all()
    assert (alpha[42:58, 42:58] == 0).all()


@settings(deadline=None, max_examples=25)
@given(
    seeds=st.tuples(st.integers(0, 2**31), st.integers(0, 2**31)),
    bands=st.sampled_from([2, 4]),
    dtype=st.sampled_from(["uint8", "uint16", "float32"]),
    tile=st.sampled_from([None, 24]),
    share=st.sampled_from([0.02, 0.5, 0.98, 1.0]),
)
def test_hidden_colours_never_matter(
    seeds: tuple[int, int], bands: int, dtype: str, tile: int | None, share: float
) -> None:
    first, second = (sample(40, 35, bands, dtype, seed=seed) for seed in seeds)
    hidden = np.random.default_rng(seeds[0]).random((40, 35)) < share
    first[hidden, -1] = 0
    second[~hidden] = first[~hidden]
    second[hidden, -1] = 0
    upscaler = Upscaler(LopsidedSession(card(context_before=3, context_after=2)))
    one, two = (upscaler.upscale(pixels, tile=tile).pixels for pixels in (first, second))
    np.testing.assert_array_equal(one, two)


def test_colours_spread_from_what_is_visible() -> None:
    pixels = np.zeros((40, 40, 4), np.uint8)
    pixels[:20] = (200, 100, 50, 255)
    pixels[20:] = (0, 255, 0, 0)
    spread = ArrayPixels(pixels).read_spread(slice(0, 40), slice(0, 40))
    assert (spread[18:28, :, :3] == (200, 100, 50)).all()
    assert (spread[-1, :, :3] == 128).all()
    np.testing.assert_array_equal(spread[:, :, 3], pixels[:, :, 3])


def test_padding_for_the_model_leaves_no_trace() -> None:
    fake = NearestSession(card(size_multiple=8, minimum_size=64))
    result = Upscaler(fake).upscale(sample(13, 70))
    np.testing.assert_array_equal(result.pixels, enlarged(sample(13, 70)))
    assert fake.shapes == [(1, 3, 64, 72)]


def test_values_round_half_up_and_stay_in_range() -> None:
    values = np.array([[[-1, 0, 0.49 / 255, 0.5 / 255, 1, 2, np.nan]]], np.float32)
    np.testing.assert_array_equal(quantise(values, "uint8").ravel(), [0, 0, 0, 1, 255, 255, 0])
    assert quantise(values, "uint16").ravel()[-3] == 65535
    assert np.isfinite(quantise(values, "float32")).all()


def test_a_graph_that_returns_another_size_is_refused() -> None:
    class Liar(NearestSession):
        def run(self, batch: np.ndarray) -> np.ndarray:
            return batch

    with pytest.raises(ModelFileError, match="card says scale 2"):
        Upscaler(Liar()).upscale(sample())


def test_arrays_need_neither_libvips_nor_pillow() -> None:
    code = (
        "import sys, numpy as np\n"
        "from tests.runtime.sample_pictures import NearestSession\n"
        "from anamorph.upscaler import Upscaler\n"
        "Upscaler(NearestSession()).upscale(np.zeros((9, 9, 3), np.uint8))\n"
        "assert not {'pyvips', 'PIL', 'torch'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
