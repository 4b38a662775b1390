"""Tiling with real graphs in ONNX Runtime."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.runtime.sample_pictures import NearestSession, card, sample
from tests.runtime.test_tiling import SIDES, assert_tiled_equals_whole
from tests.runtime.tiny_models import tiny_upscaler

from anamorph.errors import InputError
from anamorph.model_file import read_model
from anamorph.session import Session, open_session
from anamorph.upscaler import Upscaler


@cache
def session(scale: int, kernel: int, alignment: int) -> Session:
    with TemporaryDirectory() as folder:
        path = Path(folder, "tiny.onnx")
        tiny_upscaler(path, scale=scale, kernel=kernel, alignment=alignment)
        return open_session(read_model(path), device="cpu", threads=1)


@settings(deadline=None, max_examples=60)
@given(
    height=SIDES,
    width=SIDES,
    scale=st.integers(1, 4),
    kernel=st.sampled_from([1, 3, 5]),
    alignment=st.sampled_from([1, 2, 3]),
)
def test_tiled_equals_whole(
    height: int, width: int, scale: int, kernel: int, alignment: int
) -> None:
    pixels = sample(height, width, 3, "float32")
    assert_tiled_equals_whole(session(scale, kernel, alignment), pixels, tile=33)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (2, 3), (101, 103)])
def test_thin_and_tiny_pictures_keep_their_shape(shape: tuple[int, int]) -> None:
    result = Upscaler(session(3, 5, 1)).upscale(sample(*shape)[:, :, 0], tile=40)
    assert result.pixels.shape == (shape[0] * 3, shape[1] * 3)


def test_a_model_that_depends_on_the_whole_picture_runs_whole() -> None:
    fake = NearestSession(card(context_before=None, context_after=None))
    Upscaler(fake).upscale(sample(70, 90), tile=16)
    assert fake.shapes == [(1, 3, 70, 90)]


def test_a_model_that_depends_on_the_whole_picture_refuses_large_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("anamorph.upscaling.MAX_WHOLE_PIXELS", 1000)
    fake = NearestSession(card(context_before=None, context_after=None))
    with pytest.raises(InputError, match=r"90 x 70.*depends on the whole picture"):
        Upscaler(fake).upscale(sample(70, 90))


def test_a_tile_that_is_too_small_is_refused_before_computing() -> None:
    fake = NearestSession(card(context_before=9, context_after=9))
    with pytest.raises(InputError, match="at least 19"):
        Upscaler(fake).upscale(sample(70, 90), tile=18)
    with pytest.raises(InputError, match="at least 1 pixel"):
        Upscaler(fake).upscale(sample(70, 90), tile=0)
    assert fake.shapes == []


def test_a_small_picture_runs_in_one_piece() -> None:
    fake = NearestSession(card(context_before=9, context_after=9))
    Upscaler(fake).upscale(sample(64, 64))
    assert fake.shapes == [(1, 3, 64, 64)]
