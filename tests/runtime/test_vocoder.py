"""Vocoders: chunked equals whole, and what is no spectrogram is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.runtime.tiny_models import tiny_upscaler
from tests.runtime.tiny_voices import BANDS, HOP, RATE, tiny_vocoder

import anamorph
from anamorph.errors import InputError, ModelFileError
from anamorph.loading import load_upscaler
from anamorph.vocoder import Vocoder


@pytest.fixture(scope="module")
def vocoder(tmp_path_factory: pytest.TempPathFactory) -> Vocoder:
    path = tiny_vocoder(tmp_path_factory.mktemp("vocoder") / "tiny.onnx")
    loaded: Vocoder = anamorph.load(path, device="cpu", threads=1)
    return loaded


def mel(frames: int) -> np.ndarray:
    return np.random.default_rng(0).normal(-5, 2, (BANDS, frames)).astype(np.float32)


def test_load_gives_a_vocoder(vocoder: Vocoder) -> None:
    assert isinstance(vocoder, Vocoder)
    assert vocoder.origin == "tiny-vocoder@1"
    assert (vocoder.device, vocoder.provider) == ("cpu", "CPUExecutionProvider")


@settings(deadline=None, max_examples=60)
@given(frames=st.integers(1, 90), chunk=st.integers(4, 100))
def test_chunks_give_what_the_whole_gives(vocoder: Vocoder, frames: int, chunk: int) -> None:
    whole = vocoder.synthesize(mel(frames))
    assert (whole.samples.shape, whole.sample_rate) == ((frames * HOP,), RATE)
    chunked = vocoder.synthesize(mel(frames), chunk=chunk)
    assert np.abs(chunked.samples - whole.samples).max() <= 1e-4


@pytest.mark.parametrize("card", [{}, {"context_before": None}])
def test_a_spectrogram_is_padded_to_what_the_graph_takes(
    vocoder: Vocoder, card: dict[str, Any], tmp_path: Path
) -> None:
    path = tiny_vocoder(tmp_path / "m.onnx", size_multiple=4, minimum_size=20, **card)
    choosy = anamorph.load(path, device="cpu")
    run = choosy._session.run
    lengths: list[int] = []

    def listen(batch: np.ndarray) -> np.ndarray:
        lengths.append(batch.shape[-1])
        result: np.ndarray = run(batch)
        return result

    choosy._session.run = listen
    for frames in (5, 42):
        made = choosy.synthesize(mel(frames)).samples
        whole = vocoder.synthesize(mel(frames)).samples
        assert np.abs(made - whole)[:-HOP].max() <= 1e-4  # the last frame sees what follows
        assert made.shape == whole.shape
    assert lengths == [20, 44]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.zeros((BANDS + 1, 3)), rf"accepted is \({BANDS}, frames\)"),
        (np.zeros((BANDS, 0)), "one frame at least"),
        (np.zeros(BANDS), "accepted is"),
        (np.full((BANDS, 3), np.nan), "NaN or infinity"),
        (np.full((BANDS, 3), -np.inf), "floor amplitudes"),
    ],
)
def test_what_is_no_spectrogram(vocoder: Vocoder, given: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        vocoder.synthesize(given)


def test_a_chunk_shorter_than_the_context(vocoder: Vocoder) -> None:
    with pytest.raises(InputError, match="chunk of 2: tiny-vocoder needs at least 3"):
        vocoder.synthesize(mel(9), chunk=2)


def test_a_vocoder_is_no_upscaler(tmp_path: Path) -> None:
    path = tiny_vocoder(tmp_path / "tiny.onnx")
    with pytest.raises(InputError, match="is a model for 'vocode', not for 'upscale'"):
        load_upscaler(path, device="cpu")
    assert load_upscaler(tiny_upscaler(tmp_path / "t.onnx"), device="cpu").card.scale == 2


@pytest.mark.parametrize(
    "lie", [{"hop_length": 0}, {"sample_rate": 0}, {"task": "convert"}, {"outputs": ()}]
)
def test_cards_that_do_not_fit_their_task(tmp_path: Path, lie: dict[str, Any]) -> None:
    with pytest.raises(ModelFileError):
        anamorph.load(tiny_vocoder(tmp_path / "liar.onnx", **lie), device="cpu")


def test_a_false_hop_is_told_at_the_first_run(tmp_path: Path) -> None:
    liar = anamorph.load(tiny_vocoder(tmp_path / "liar.onnx", hop_length=HOP + 1), device="cpu")
    with pytest.raises(ModelFileError, match="where its card promises"):
        liar.synthesize(mel(3))
