"""Geometric self-ensemble: the mean over eight rotations and reflections."""

import io
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.runtime.sample_pictures import LopsidedSession, NearestSession, card, sample
from tests.runtime.test_tiling import SIDES, assert_tiled_equals_whole
from tests.runtime.tiny_models import tiny_upscaler

from anamorph.cli import main
from anamorph.errors import InputError, ModelFileError
from anamorph.model_file import read_model
from anamorph.picture import Picture
from anamorph.self_ensemble import SelfEnsemble, turned_card
from anamorph.session import Session, open_session
from anamorph.upscaler import Upscaler
from anamorph.upscaling import quantise

TURNS = [(quarters, mirrored) for quarters in range(4) for mirrored in (False, True)]


def turn(pixels: np.ndarray, quarters: int, mirrored: bool) -> np.ndarray:
    turned = np.rot90(pixels, quarters)
    return np.ascontiguousarray(turned[:, ::-1] if mirrored else turned)


def turn_back(pixels: np.ndarray, quarters: int, mirrored: bool) -> np.ndarray:
    return np.rot90(pixels[:, ::-1] if mirrored else pixels, -quarters)


@cache
def session(scale: int = 2, kernel: int = 5, alignment: int = 1) -> Session:
    with TemporaryDirectory() as folder:
        path = Path(folder, "tiny.onnx")
        tiny_upscaler(path, scale=scale, kernel=kernel, alignment=alignment)
        return open_session(read_model(path), device="cpu", threads=1)


@pytest.fixture
def upscaler() -> Upscaler:
    return Upscaler(session())


class GridSession(LopsidedSession):
    """Lopsided, and darker at each multiple of ``alignment``; takes what its card says only."""

    def run(self, batch: np.ndarray) -> np.ndarray:
        """See ``anamorph.upscaling.Session``."""
        assert all(side % self.card.size_multiple == 0 for side in batch.shape[2:])
        assert min(batch.shape[2:]) >= self.card.minimum_size
        gains = [
            (1 - (np.arange(side) % self.card.alignment == 0) / 4).astype(np.float32)
            for side in batch.shape[2:]
        ]
        return super().run(batch * gains[0][:, np.newaxis] * gains[1])


@pytest.mark.parametrize("bands", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("tile", [None, 16])
def test_an_equivariant_network_gives_the_same(bands: int, dtype: str, tile: int | None) -> None:
    pixels = sample(41, 37, bands, dtype)
    plain = Upscaler(NearestSession()).upscale(Picture(pixels), tile=tile)
    ensemble = Upscaler(NearestSession()).upscale(Picture(pixels), tile=tile, tta=True)
    assert ensemble.pixels.dtype == pixels.dtype
    tolerance = 3e-7 if dtype == "float32" else 0
    np.testing.assert_allclose(ensemble.pixels, plain.pixels, rtol=0, atol=tolerance)


def test_it_is_the_mean_of_eight_turned_runs(upscaler: Upscaler) -> None:
    pixels = sample(21, 34, 3, "float32")
    runs = [turn_back(upscaler.upscale(turn(pixels, *way)).pixels, *way) for way in TURNS]
    assert min(np.abs(run - runs[0]).max() for run in runs[1:]) > 1e-3
    ensemble = upscaler.upscale(pixels, tta=True).pixels
    np.testing.assert_allclose(ensemble, np.mean(runs, axis=0), atol=1e-6)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_the_mean_is_rounded_once(upscaler: Upscaler, dtype: str) -> None:
    pixels = sample(21, 34, 3, dtype)
    values = pixels / np.float32(np.iinfo(dtype).max)
    exact = upscaler.upscale(values.astype(np.float32), tta=True).pixels
    rounded = quantise(exact.transpose(2, 0, 1), dtype)
    ensemble = upscaler.upscale(pixels, tta=True).pixels
    # Values that lie at a half may fall to either side.
    assert np.abs(ensemble.astype(int) - rounded).max() <= 1
    assert (ensemble == rounded).mean() > 0.99


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
@pytest.mark.parametrize("bands", [1, 2, 3, 4])
@pytest.mark.parametrize("way", TURNS[1:])
def test_turning_the_input_turns_the_output(
    upscaler: Upscaler, way: tuple[int, bool], bands: int, dtype: str
) -> None:
    pixels = sample(24, 31, bands, dtype)
    if bands in (2, 4):
        pixels[4:9, 5:13, -1] = 0
    first = upscaler.upscale(Picture(pixels), tta=True).bands
    second = upscaler.upscale(Picture(turn(pixels, *way)), tta=True).bands
    tolerance = 2e-6 if dtype == "float32" else 1
    np.testing.assert_allclose(
        second.astype(np.float64), turn(first, *way).astype(np.float64), atol=tolerance
    )


@settings(deadline=None, max_examples=60)
@given(
    height=SIDES,
    width=SIDES,
    scale=st.integers(1, 3),
    reach=st.tuples(st.integers(0, 5), st.integers(0, 5)),
    bands=st.integers(1, 4),
    steps=st.sampled_from([(1, 1), (4, 2), (2, 4), (2, 3), (3, 1), (1, 3)]),
    minimum=st.sampled_from([1, 7, 16]),
)
def test_tiled_equals_whole_for_lopsided_context_and_grids(
    height: int,
    width: int,
    scale: int,
    reach: tuple[int, int],
    bands: int,
    steps: tuple[int, int],
    minimum: int,
) -> None:
    model = GridSession(
        card(
            scale=scale,
            context_before=reach[0],
            context_after=reach[1],
            alignment=steps[0],
            size_multiple=steps[1],
            minimum_size=minimum,
        )
    )
    pixels = sample(height, width, bands, "float32")
    if bands in (2, 4):
        pixels[: height // 2, : width // 2, -1] = 0
    assert_tiled_equals_whole(SelfEnsemble(model), pixels, tile=32)


@settings(deadline=None, max_examples=25)
@given(
    height=SIDES,
    width=SIDES,
    scale=st.integers(1, 3),
    kernel=st.sampled_from([1, 3, 5]),
    alignment=st.sampled_from([1, 2, 3]),
)
def test_tiled_equals_whole_in_onnx_runtime(
    height: int, width: int, scale: int, kernel: int, alignment: int
) -> None:
    pixels = sample(height, width, 3, "float32")
    assert_tiled_equals_whole(SelfEnsemble(session(scale, kernel, alignment)), pixels, tile=33)


def test_the_card_asks_for_what_turning_needs() -> None:
    turned = turned_card(card(context_before=3, context_after=5, alignment=4, size_multiple=6))
    assert (turned.context_before, turned.context_after) == (5, 5)
    assert (turned.alignment, turned.size_multiple) == (4, 12)
    unbounded = turned_card(card(context_before=3, context_after=None))
    assert unbounded.context_before is None
    assert unbounded.context_after is None


def test_each_tile_runs_eight_times_one_by_one() -> None:
    fake = NearestSession(card(context_before=None, context_after=None))
    Upscaler(fake).upscale(sample(24, 30), tta=True)
    assert fake.shapes == [(1, 3, 24, 30)] * 4 + [(1, 3, 30, 24)] * 4


def test_what_is_opaque_stays_opaque() -> None:
    pixels = sample(50, 50, 4)
    pixels[:, :, 3] = 255
    pixels[20:30, 20:30, 3] = 0
    alpha = Upscaler(session()).upscale(pixels, tile=30, tta=True).pixels[:, :, 3]
    assert (alpha[:38] == 255).all()
    assert (alpha[42:58, 42:58] == 0).all()


def test_tiles_that_are_too_small_and_graphs_that_lie_are_refused() -> None:
    lopsided = Upscaler(NearestSession(card(context_before=0, context_after=9)))
    with pytest.raises(InputError, match="at least 19"):
        lopsided.upscale(sample(70, 90), tile=18, tta=True)

    class Liar(NearestSession):
        def run(self, batch: np.ndarray) -> np.ndarray:
            return batch

    with pytest.raises(ModelFileError, match="card says scale 2"):
        Upscaler(Liar()).upscale(sample(), tta=True)


def test_the_networks_own_result_is_not_touched() -> None:
    class Constant(NearestSession):
        result = np.full((1, 3, 48, 48), 0.5, np.float32)

        def run(self, batch: np.ndarray) -> np.ndarray:
            return self.result

    Upscaler(Constant()).upscale(sample(24, 24), tta=True)
    assert (Constant.result == 0.5).all()


@pytest.mark.parametrize("bands", [1, 4])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_files_give_what_arrays_give(
    tmp_path: Path, upscaler: Upscaler, bands: int, dtype: str
) -> None:
    picture = Picture(sample(61, 47, bands, dtype))
    source, target = tmp_path / "a.tif", tmp_path / "b.tif"
    picture.save(source)
    shares: list[float] = []
    report = upscaler.upscale_file(source, target, tile=24, tta=True, progress=shares.append)
    expected = upscaler.upscale(picture, tile=24, tta=True).pixels
    np.testing.assert_array_equal(Picture.open(target).pixels, expected)
    assert (expected != upscaler.upscale(picture, tile=24).pixels).any()
    assert report.tiles == 9
    assert shares == sorted(shares)
    assert shares[0] == pytest.approx(0.95 / 9)
    assert shares[-1] == pytest.approx(1, abs=0.06)


@pytest.fixture
def model(tmp_path: Path) -> str:
    return str(tiny_upscaler(tmp_path / "tiny.onnx", scale=2))


def test_the_command_line_writes_the_mean(tmp_path: Path, model: str, upscaler: Upscaler) -> None:
    Picture(sample()).save(tmp_path / "a.png")
    target = tmp_path / "b.png"
    arguments = ["upscale", str(tmp_path / "a.png"), "-m", model, "-o", str(target), "--threads=1"]
    assert main([*arguments, "--tta"]) == 0
    expected = upscaler.upscale(sample(), tta=True).pixels
    np.testing.assert_array_equal(Picture.open(target).pixels, expected)
    assert (expected != upscaler.upscale(sample()).pixels).any()


def test_the_command_line_pipes_the_mean(
    model: str,
    upscaler: Upscaler,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    data = io.BytesIO(Picture(sample()).encode("png"))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(data))
    assert main(["upscale", "-", "-o", "-", "-m", model, "--tta", "--threads", "1"]) == 0
    written = Picture.open(capfdbinary.readouterr().out)
    np.testing.assert_array_equal(written.pixels, upscaler.upscale(sample(), tta=True).pixels)
