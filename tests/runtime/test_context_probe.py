from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.runtime.tiny_models import tiny_upscaler

from anamorph.context_probe import Context, Floats, probe_context
from anamorph.model_file import read_model
from anamorph.session import open_session


def _shift(before: int, after: int, scale: int) -> object:
    """Return a model whose outputs add the pixels so far before and after to their own."""

    def run(batch: Floats) -> Floats:
        height, width = batch.shape[2:]
        padded = np.pad(batch, ((0, 0), (0, 0), (before, after), (before, after)))
        total = batch.copy()
        for y, x in ((0, 0), (before + after, before + after)):
            total += padded[:, :, y : y + height, x : x + width]
        result: Floats = total.repeat(scale, 2).repeat(scale, 3)
        return result

    return run


@given(st.integers(0, 9), st.integers(0, 9), st.integers(1, 4), st.integers(0, 5))
def test_finds_how_far_a_model_looks(before: int, after: int, scale: int, seed: int) -> None:
    run = _shift(before, after, scale)
    seen = probe_context(run, scale=scale, size=40, seed=seed)  # type: ignore[arg-type]
    assert seen == Context(before, after)


def test_sees_through_activations_that_swallow_nan() -> None:
    def run(batch: Floats) -> Floats:
        result: Floats = np.maximum(np.nan_to_num(batch), 0)
        return result

    assert probe_context(run, scale=1, size=16) == Context(0, 0)

    def blind_to_nan(batch: Floats) -> Floats:
        shifted: Floats = np.roll(np.nan_to_num(batch, nan=0.5), 3, axis=2)
        return shifted

    assert probe_context(blind_to_nan, scale=1, size=16) == Context(3, 0)


@pytest.mark.parametrize("alignment", [1, 2, 4, 8])
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_finds_the_context_of_graphs_that_work_in_blocks(
    tmp_path: Path, alignment: int, kernel: int
) -> None:
    path = tiny_upscaler(tmp_path / "tiny.onnx", alignment=alignment, kernel=kernel, scale=1)
    session = open_session(read_model(path), device="cpu", threads=1)
    seen = probe_context(session.run, scale=1, size=64)
    assert seen == Context(session.card.context_before or 0, session.card.context_after or 0)


def test_a_tiny_picture_is_probed_as_far_as_it_goes() -> None:
    assert probe_context(lambda batch: batch, scale=1, size=1) == Context(0, 0)
    assert probe_context(lambda batch: batch, scale=1, size=3) == Context(0, 0)


def test_a_model_that_mixes_its_batch_looks_everywhere() -> None:
    def run(batch: Floats) -> Floats:
        result: Floats = batch - batch.mean(axis=0, keepdims=True)
        return result

    seen = probe_context(run, scale=1, size=32)
    assert seen.before > 0
    assert seen.after > 0
