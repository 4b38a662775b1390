"""Build tiny converters and vocoders with a card, for tests of the runtime."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from msgspec.structs import replace
from onnx import TensorProto, helper, numpy_helper

from anamorph.card import Card, Port
from anamorph.model_file import embed_card

RATE = 22050
BANDS = 4
HOP = 8


def _model(
    nodes: list[Any], given: tuple[str, list[Any]], made: str, constants: dict[str, Any]
) -> bytes:
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(given[0], TensorProto.FLOAT, given[1])],
        [helper.make_tensor_value_info(made, TensorProto.FLOAT, ["batch", "made"])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    opset = helper.make_opsetid("", 18)
    model = helper.make_model(graph, ir_version=8, opset_imports=[opset])
    data: bytes = model.SerializeToString()
    onnx.checker.check_model(data)
    return data


def tiny_converter(
    path: Path, *, kernel: int = 5, gain: float = 1.0, seed: int = 0, **card_overrides: Any
) -> Path:
    """Write a converter that filters: one seeded convolution, zero-padded, near the identity.

    Args:
        path: File to write.
        kernel: Taps; the context is half as many on each side.
        gain: What it multiplies by.
        seed: Of the taps.
        card_overrides: Fields of the card that shall say something else.
    """
    taps = np.random.default_rng(seed).normal(0, 0.05, (1, 1, kernel))
    taps[0, 0, kernel // 2] = 1
    pad = kernel // 2
    nodes = [
        helper.make_node("Unsqueeze", ["waveform", "one"], ["channel"]),
        helper.make_node("Conv", ["channel", "taps"], ["filtered"], pads=[pad, pad]),
        helper.make_node("Squeeze", ["filtered", "one"], ["converted"]),
    ]
    constants = {"taps": (gain * taps).astype(np.float32), "one": np.array([1], np.int64)}
    data = _model(nodes, ("waveform", ["batch", "samples"]), "converted", constants)
    axes = ("batch", "samples")
    card = Card(
        name="tiny-voice",
        task="convert",
        inputs=(Port(name="waveform", meaning="waveform", axes=axes),),
        outputs=(Port(name="converted", meaning="waveform", axes=axes),),
        licence="CC0-1.0",
        sample_rate=RATE,
        context_before=pad,
        context_after=pad,
    )
    return _write(path, data, replace(card, **card_overrides))


def tiny_vocoder(path: Path, *, kernel: int = 3, seed: int = 0, **card_overrides: Any) -> Path:
    """Write a vocoder that is one seeded convolution from bands to the samples of a frame."""
    taps = np.random.default_rng(seed).normal(0, 0.05, (HOP, BANDS, kernel)).astype(np.float32)
    pad = kernel // 2
    nodes = [
        helper.make_node("Conv", ["mel", "taps"], ["frames"], pads=[pad, pad]),
        helper.make_node("Transpose", ["frames"], ["turned"], perm=[0, 2, 1]),
        helper.make_node("Reshape", ["turned", "shape"], ["waveform"]),
    ]
    constants = {"taps": taps, "shape": np.array([0, -1], np.int64)}
    data = _model(nodes, ("mel", ["batch", BANDS, "frames"]), "waveform", constants)
    channels = tuple(f"{band} Hz" for band in range(BANDS))
    mel = Port(name="mel", meaning="mel", axes=("batch", "band", "frames"), channels=channels)
    card = Card(
        name="tiny-vocoder",
        task="vocode",
        role="vocoder",
        inputs=(mel,),
        outputs=(Port(name="waveform", meaning="waveform", axes=("batch", "samples")),),
        licence="CC0-1.0",
        sample_rate=RATE,
        hop_length=HOP,
        context_before=pad,
        context_after=pad,
    )
    return _write(path, data, replace(card, **card_overrides))


def _write(path: Path, data: bytes, card: Card) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(embed_card(data, card))
    return path
