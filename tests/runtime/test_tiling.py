from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.runtime.sample_pictures import LopsidedSession, card, sample

from anamorph.errors import InputError
from anamorph.pixels import ArrayPixels
from anamorph.tiling import Geometry, Span, spans
from anamorph.upscaling import ArraySink, Session, plan_tiles, upscale_pixels

GEOMETRIES = st.builds(
    Geometry,
    before=st.integers(0, 9),
    after=st.integers(0, 9),
    alignment=st.sampled_from([1, 2, 3, 4, 8]),
    multiple=st.sampled_from([1, 2, 4, 6]),
    minimum=st.sampled_from([1, 2, 7, 16]),
)


@given(GEOMETRIES, st.integers(1, 400), st.integers(0, 64))
def test_spans_cover_the_axis_and_read_all_that_the_kept_depends_on(
    geometry: Geometry, length: int, spare: int
) -> None:
    window = geometry.least_window + spare
    padded = geometry.padded(length)
    found = spans(padded, window=window, geometry=geometry)
    assert found[0].keep_start == 0
    assert found[-1].keep_stop == padded
    assert all(one.keep_stop == two.keep_start for one, two in pairwise(found))
    for span in found:
        assert span.keep_start < span.keep_stop
        assert span.read_start == 0 or span.read_start <= span.keep_start - geometry.before
        assert span.read_stop == padded or span.read_stop >= span.keep_stop + geometry.after
        assert 0 <= span.read_start < span.read_stop <= padded
        assert span.read_start % geometry.alignment == 0
        assert span.size % geometry.multiple == 0
        assert geometry.minimum <= span.size <= window


@given(st.integers(300, 3000), st.integers(0, 10))
def test_cores_differ_by_one_step_at_most(length: int, context: int) -> None:
    found = spans(length, window=128, geometry=Geometry(before=context, after=context))
    cores = [span.keep_stop - span.keep_start for span in found]
    assert max(cores) - min(cores) <= 1


def test_no_more_tiles_than_needed() -> None:
    found = spans(1000, window=120, geometry=Geometry(before=10, after=10))
    # 100 kept in each, and 110 in the first and the last, which end at the border.
    assert len(found) == 10


def test_what_fits_is_one_tile() -> None:
    geometry = Geometry(before=50, after=50)
    assert spans(64, window=64, geometry=geometry) == (Span(0, 64, 0, 64),)


def test_a_long_axis_is_cut_at_once() -> None:
    assert len(spans(2**20, window=64, geometry=Geometry(before=20, after=20))) == -(-(2**20) // 24)


def test_a_window_without_room_for_context_is_refused_with_the_least() -> None:
    with pytest.raises(InputError, match=r"tile of 40 pixels.*at least 41"):
        spans(100, window=40, geometry=Geometry(before=20, after=20))


def run(session: Session, pixels: np.ndarray, tile: int) -> np.ndarray:
    height, width, bands = pixels.shape
    scale = session.card.scale
    plan = plan_tiles(session.card, height=height, width=width, alpha=bands in (2, 4), tile=tile)
    sink = ArraySink((height * scale, width * scale, bands), pixels.dtype.name)
    upscale_pixels(session, ArrayPixels(pixels), sink, plan)
    return sink.array


def assert_tiled_equals_whole(session: Session, pixels: np.ndarray, *, tile: int) -> None:
    whole = run(session, pixels, max(pixels.shape) + 1000)
    tiled = run(session, pixels, tile)
    assert np.abs(tiled.astype(np.float64) - whole).max() <= 1e-4


SIDES = st.one_of(st.just(1), st.integers(1, 70), st.sampled_from([2, 3, 31, 61, 67, 97, 113]))


@settings(deadline=None, max_examples=60)
@given(
    height=SIDES,
    width=SIDES,
    scale=st.integers(1, 4),
    before=st.integers(0, 5),
    after=st.integers(0, 5),
    bands=st.integers(1, 4),
    multiple=st.sampled_from([1, 2, 3]),
)
def test_tiled_equals_whole_for_lopsided_context(
    height: int, width: int, scale: int, before: int, after: int, bands: int, multiple: int
) -> None:
    session = LopsidedSession(
        card(
            scale=scale,
            context_before=before,
            context_after=after,
            alignment=multiple,
            size_multiple=multiple,
            minimum_size=4,
        )
    )
    pixels = sample(height, width, bands, "float32")
    if bands in (2, 4):
        pixels[: height // 2, : width // 2, -1] = 0
    assert_tiled_equals_whole(session, pixels, tile=32)
