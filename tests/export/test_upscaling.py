"""Faults that only an upscaler can have, planted one by one."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from tests.export.conftest import Exported
from tests.export.networks import LinearUpscaler, fitted_upscaler
from torch import Tensor

from anamorph.errors import AnamorphError
from anamorph.model_file import embed_card
from anamorph_export import gate, upscaling
from anamorph_export.gate import Floats, GateError, Run
from anamorph_export.graphs import UpscalerGraph
from anamorph_export.measuring import Figures
from anamorph_export.pictures import natural_pictures
from anamorph_training.degradation import imresize, shrink, to_uint8
from anamorph_training.evaluation.texture import Texture, measure_texture
from anamorph_training.evaluation.upscaling import Example

PICTURES = [natural_pictures(2, 24, 20, seed=4), natural_pictures(1, 31, 17, seed=5)]


@pytest.fixture
def run(exported: Exported) -> Run:
    return gate.open_run(exported.data)


def test_shapes_respect_least_size_and_multiple(exported: Exported) -> None:
    card = replace(exported.card, size_multiple=4, minimum_size=6)
    shapes = upscaling.upscaler_shapes(card)
    assert all(side % 4 == 0 and side >= 6 for shape in shapes for side in shape[2:])
    assert len({shape[2:] for shape in shapes}) >= 3


def test_a_range_as_the_card_states_it_passes(run: Run, exported: Exported) -> None:
    assert "within 0 to 1" in upscaling.check_range(run, PICTURES, exported.card).found


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (lambda run, batch: run(batch) * 255, "outputs reach from .* the card says 0 to 1"),
        (lambda run, batch: run(batch) * 2 - 1, "outputs reach from -"),
        (lambda run, batch: run(batch / np.float32(255)), "the mean of a colour changes"),
        (lambda run, batch: run(batch)[:, ::-1], "the mean of a colour changes"),
        (lambda run, batch: run(batch) * 0 + np.float32(0.5), "the mean of a colour changes"),
        (lambda run, batch: run(batch) * np.float32(np.nan), "outputs reach from nan"),
    ],
    ids=["emits 255", "emits -1", "takes 255", "blue first", "constant", "NaN"],
)
def test_another_range_is_refused(
    run: Run, exported: Exported, fault: Callable[[Run, Floats], Floats], message: str
) -> None:
    with pytest.raises(GateError, match=message):
        upscaling.check_range(lambda batch: fault(run, batch), PICTURES, exported.card)


def test_the_context_of_the_card_is_the_one_that_is_seen(run: Run, exported: Exported) -> None:
    assert upscaling.check_context(run, exported.card).found == "3 before, 3 after"


@pytest.mark.parametrize("stated", [0, 2, 4, 20])
def test_another_context_is_refused_with_the_true_one(
    run: Run, exported: Exported, stated: int
) -> None:
    card = replace(exported.card, context_before=stated, context_after=stated)
    with pytest.raises(GateError, match="3 pixels before and 3 after"):
        upscaling.check_context(run, card)


def test_statistics_over_the_picture_have_no_context(exported: Exported) -> None:
    run = gate.open_run(exported.data)

    def normalised(batch: Floats) -> Floats:
        mean: Floats = batch.mean((2, 3), keepdims=True)
        return run(batch) - mean

    with pytest.raises(GateError, match="an output depends on"):
        upscaling.check_context(normalised, exported.card)


def test_unbounded_context_is_not_probed(run: Run, exported: Exported) -> None:
    card = replace(exported.card, context_before=None, context_after=None)
    assert upscaling.check_context(run, card).found == "unbounded"


def _pixels() -> list[upscaling.Pixels]:
    return [np.rint(p[0].transpose(1, 2, 0) * 255).astype(np.uint8) for p in PICTURES]


def test_files_come_out_as_pytorch_makes_them(exported: Exported, tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(embed_card(exported.data, exported.card))
    finding = upscaling.check_files(file, exported.graph, _pixels(), tmp_path)
    assert finding.check == "files"


def test_files_that_differ_from_pytorch_are_refused(exported: Exported, tmp_path: Path) -> None:
    class Brighter(LinearUpscaler):
        def forward(self, image: Tensor) -> Tensor:
            return super().forward(image) + 0.02

    other = Brighter().eval()
    other.load_state_dict(fitted_upscaler().state_dict())
    file = tmp_path / "model.onnx"
    file.write_bytes(embed_card(exported.data, exported.card))
    with pytest.raises(GateError, match="the whole picture differs by"):
        upscaling.check_files(file, UpscalerGraph(other), _pixels(), tmp_path)


def test_tiles_that_differ_from_the_whole_are_refused(exported: Exported, tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(
        embed_card(exported.data, replace(exported.card, context_before=0, context_after=0))
    )
    with pytest.raises(GateError, match="tiled picture"):
        upscaling.check_files(file, exported.graph, _pixels(), tmp_path)


def test_a_card_with_another_scale_is_refused(exported: Exported, tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(embed_card(exported.data, replace(exported.card, scale=4)))
    with pytest.raises(AnamorphError, match="card promises"):
        upscaling.check_files(file, exported.graph, _pixels(), tmp_path)


@pytest.mark.parametrize("psnr", [20.0, 30.0, 30.29, float("nan")])
def test_weights_no_better_than_bicubic_are_refused(psnr: float) -> None:
    with pytest.raises(GateError, match=r"bicubic 30\.00 dB; 30\.30 dB are required"):
        upscaling.check_quality(Figures("holdout", 3, psnr, 30.0, 0.8, 0.7))


def test_weights_better_than_bicubic_pass() -> None:
    assert upscaling.check_quality(Figures("holdout", 3, 30.4, 30.0, 0.8, 0.7))


def test_weights_that_invent_detail_may_lose_a_little() -> None:
    figures = Figures("holdout", 3, 29.1, 30.0, 0.8, 0.7)
    assert upscaling.check_quality(figures, least_gain=upscaling.LEAST_PERCEPTUAL_GAIN_DB)
    with pytest.raises(GateError, match=r"29\.50 dB are required"):
        upscaling.check_quality(figures, least_gain=-0.5)


def _originals() -> list[upscaling.Pixels]:
    pictures = 0.1 + 0.8 * natural_pictures(3, 96, 112, seed=6)
    return [to_uint8(picture.transpose(1, 2, 0) * 255) for picture in pictures]


def _textured(fault: Callable[[upscaling.Pixels], upscaling.Pixels]) -> Texture:
    originals = _originals()
    examples = [Example("", 4, original, shrink(original, 4)) for original in originals]
    return measure_texture([fault(original) for original in originals], examples)


def _gridded(picture: upscaling.Pixels) -> upscaling.Pixels:
    grid = np.zeros((4, 4, 1))
    grid[::2, ::2] = 2  # on one sub-pixel in four, as a shuffle leaves it
    return to_uint8(picture + np.tile(grid - grid.mean(), (24, 28, 1)))


def _noisy(picture: upscaling.Pixels) -> upscaling.Pixels:
    return to_uint8(picture + np.random.default_rng(7).normal(0, 10, picture.shape))


def test_texture_like_the_originals_passes() -> None:
    finding = upscaling.check_texture(_textured(lambda picture: picture))
    assert finding.found.startswith(
        "grid 1.000, fine detail 1.000 times the originals', colours 0.00"
    )


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (_gridded, r"stands .* times as far out .*, 1\.1 is allowed; train longer, or with"),
        (
            lambda picture: picture + np.uint8(3),
            r"off by 3 of 255 in the mean, 1 is allowed; train with more --c",
        ),
        (lambda picture: imresize(shrink(picture, 4), 4), r"0\.8 to 1\.2 is allowed; raise"),
        (_noisy, r"0\.8 to 1\.2 is allowed; lower"),
    ],
    ids=["grid", "colour cast", "blurred", "noisy"],
)
def test_another_texture_is_refused(
    fault: Callable[[upscaling.Pixels], upscaling.Pixels], message: str
) -> None:
    with pytest.raises(GateError, match=message):
        upscaling.check_texture(_textured(fault))


@pytest.mark.parametrize(
    ("figure", "passing", "failing"),
    [
        ("spectral_peak", [0.5, 1.1], [1.11, np.nan]),
        ("colour_error", [0.0, 1.0], [1.01, np.nan]),
        ("high_frequency_energy", [0.8, 1.2], [0.79, 1.21, np.nan]),
    ],
)
def test_texture_is_held_to_its_bounds(
    figure: str, passing: list[float], failing: list[float]
) -> None:
    good: dict[str, Any] = asdict(Texture(1.0, 1.0, 0.0, 0.5, 1.0, ()))
    for value in passing:
        upscaling.check_texture(Texture(**(good | {figure: value})))
    for value in failing:
        with pytest.raises(GateError, match="texture"):
            upscaling.check_texture(Texture(**(good | {figure: value})))
