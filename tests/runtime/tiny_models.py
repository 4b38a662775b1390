"""Build tiny ONNX models with a card, in a few milliseconds, for tests of the runtime."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from msgspec.structs import replace
from onnx import TensorProto, helper, numpy_helper

from anamorph.card import Card, Port
from anamorph.model_file import embed_card

RGB = ("red", "green", "blue")
AXES = ("batch", "channel", "height", "width")


def upscaler_weights(
    scale: int, kernel: int, *, channels: int = 3, alignment: int = 1, seed: int = 0
) -> np.ndarray:
    """Return convolution weights: a nearest-neighbour picture plus some seeded noise.

    Returns:
        float32 (channels * (alignment * scale)**2, channels * alignment**2, kernel, kernel)
    """
    rng = np.random.default_rng(seed)
    block = alignment * scale
    shape = (channels * block**2, channels * alignment**2, kernel, kernel)
    weights = rng.normal(0, 0.15 / np.sqrt(np.prod(shape[1:])), shape)
    centre = kernel // 2
    for channel in range(channels):
        for y in range(block):
            for x in range(block):
                source = (y // scale) * alignment + x // scale
                # SpaceToDepth puts the block's position before the channel.
                weights[
                    channel * block**2 + y * block + x, source * channels + channel, centre, centre
                ] += 1
    return weights.astype(np.float32)


def upscaler_proto(
    *,
    scale: int = 2,
    kernel: int = 5,
    channels: int = 3,
    alignment: int = 1,
    unbounded: bool = False,
    seed: int = 0,
) -> onnx.ModelProto:
    """Return a graph without a card: [SpaceToDepth] Conv DepthToSpace [- mean] Clip."""
    weights = upscaler_weights(scale, kernel, channels=channels, alignment=alignment, seed=seed)
    constants: dict[str, Any] = {
        "weight": weights,
        "zero": np.float32(0),
        "one": np.float32(1),
    }
    pad = kernel // 2
    nodes = []
    last = "picture"
    if alignment > 1:
        nodes.append(helper.make_node("SpaceToDepth", [last], ["blocks"], blocksize=alignment))
        last = "blocks"
    nodes += [
        helper.make_node("Conv", [last, "weight"], ["features"], pads=[pad] * 4),
        helper.make_node(
            "DepthToSpace", ["features"], ["large"], blocksize=alignment * scale, mode="CRD"
        ),
    ]
    last = "large"
    if unbounded:
        constants["axes"] = np.array([2, 3], np.int64)
        nodes += [
            helper.make_node("ReduceMean", [last, "axes"], ["mean"], keepdims=1),
            helper.make_node("Mul", ["large", "mean"], ["toned"]),
        ]
        last = "toned"
    nodes.append(helper.make_node("Clip", [last, "zero", "one"], ["upscaled"]))
    graph = helper.make_graph(
        nodes,
        "tiny",
        [
            helper.make_tensor_value_info(
                "picture", TensorProto.FLOAT, ["batch", channels, "height", "width"]
            )
        ],
        [
            helper.make_tensor_value_info(
                "upscaled", TensorProto.FLOAT, ["batch", channels, "out_height", "out_width"]
            )
        ],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    opset = helper.make_opsetid("", 18)
    return helper.make_model(graph, ir_version=8, opset_imports=[opset])


def upscaler_card(*, scale: int = 2, kernel: int = 5, alignment: int = 1) -> Card:
    """Return a card that is true of ``upscaler_proto`` with the same arguments."""
    context = alignment * (kernel // 2) + alignment - 1
    picture = {"axes": AXES, "channels": RGB, "minimum": 0.0, "maximum": 1.0, "unit": "sRGB"}
    return Card(
        name=f"tiny-x{scale}",
        task="upscale",
        inputs=(Port(name="picture", meaning="picture", **picture),),  # type: ignore[arg-type]
        outputs=(Port(name="upscaled", meaning="picture", **picture),),  # type: ignore[arg-type]
        licence="CC0-1.0",
        scale=scale,
        size_multiple=alignment,
        minimum_size=alignment,
        context_before=context,
        context_after=context,
        alignment=alignment,
    )


def tiny_upscaler(
    path: Path,
    *,
    scale: int = 2,
    kernel: int = 5,
    channels: int = 3,
    alignment: int = 1,
    unbounded: bool = False,
    seed: int = 0,
    **card_overrides: Any,
) -> Path:
    """Write a tiny upscaler with seeded random weights, and return its path.

    Args:
        path: File to write; its folder is made.
        scale: Output pixels per input pixel.
        kernel: Width of the one convolution, odd; context is ``kernel // 2`` blocks.
        channels: Channels of the graph, whatever the card says.
        alignment: Width of the blocks that the graph folds into channels; the picture's sides must
            be multiples of it, and so must the starts of tiles.
        unbounded: Let each output depend on the whole picture.
        seed: Of the weights.
        card_overrides: Fields of the card that shall differ from the truth.
    """
    proto = upscaler_proto(
        scale=scale,
        kernel=kernel,
        channels=channels,
        alignment=alignment,
        unbounded=unbounded,
        seed=seed,
    )
    card = upscaler_card(scale=scale, kernel=kernel, alignment=alignment)
    if unbounded:
        card = replace(card, context_before=None, context_after=None)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(embed_card(proto.SerializeToString(), replace(card, **card_overrides)))
    return path
