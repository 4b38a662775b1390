"""Build tiny models of codes, anomalies and outliers, in a few milliseconds."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from msgspec.structs import replace
from onnx import TensorProto, helper, numpy_helper
from tests.runtime.tiny_models import AXES, RGB

from anamorph.card import Calibration, Card, Latent, Port
from anamorph.model_file import embed_card, read_card

SIDE = 8
LATENT = 3
CODE = ("batch", "latent")
QUANTILES = {"0": 0.0, "0.25": 0.1, "0.5": 0.2, "0.75": 0.3, "0.95": 0.5, "1": 0.6}

_PICTURE = helper.make_tensor_value_info(
    "picture", TensorProto.FLOAT, ["batch", 3, "height", "width"]
)


def picture_port() -> Port:
    return Port(
        name="picture", meaning="picture", axes=AXES, channels=RGB, minimum=0.0, maximum=1.0
    )


def write(
    path: Path,
    card: Card,
    nodes: list[onnx.NodeProto],
    inputs: list[Any],
    outputs: list[Any],
    constants: dict[str, Any],
    **card_overrides: Any,
) -> Path:
    """Write a graph with its card."""
    weights = [numpy_helper.from_array(np.asarray(v), name) for name, v in constants.items()]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, weights)
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 18)])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(embed_card(model.SerializeToString(), replace(card, **card_overrides)))
    return path


def _value(name: str, *shape: Any) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))


def tiny_autoencoder(
    folder: Path,
    *,
    name: str = "tiny",
    latent: int = LATENT,
    prior: str = "normal",
    labels: tuple[str, ...] = (),
    **card_overrides: Any,
) -> Path:
    """Write an encoder and a decoder: a code holds the mean colour, mixed; return the encoder."""
    generator = np.random.default_rng(0)
    mix = generator.normal(0, 2, (3, latent)).astype(np.float32)
    spread = generator.normal(0, 1, (latent, 3 * SIDE * SIDE)).astype(np.float32)
    card = Card(
        name=name,
        task="reconstruct",
        inputs=(picture_port(),),
        outputs=(Port(name="code", meaning="code", axes=CODE),),
        licence="CC0-1.0",
        role="encoder",
        family=name,
        family_digest="d1",
        latent_width=latent,
        height=SIDE,
        width=SIDE,
        prior=prior,  # type: ignore[arg-type]
        latents=tuple(Latent(mean=0.1 * i, deviation=1.0, divergence=1.0) for i in range(latent)),
        labels=labels,
    )
    nodes = [
        helper.make_node("ReduceMean", ["picture", "plane"], ["colour"], keepdims=0),
        helper.make_node("MatMul", ["colour", "mix"], ["code"]),
    ]
    outputs, values = [*card.outputs], [_value("code", "batch", latent)]
    if prior:
        outputs.append(Port(name="deviation", meaning="deviation", axes=CODE, minimum=0.0))
        nodes.append(helper.make_node("Exp", ["code"], ["deviation"]))
        values.append(_value("deviation", "batch", latent))
    if labels:
        outputs.append(Port(name="chances", meaning="chances", axes=("batch", "class")))
        nodes.append(helper.make_node("MatMul", ["colour", "vote"], ["votes"]))
        nodes.append(helper.make_node("Softmax", ["votes"], ["chances"], axis=1))
        values.append(_value("chances", "batch", len(labels)))
    constants: dict[str, Any] = {"plane": np.array([2, 3], np.int64), "mix": mix}
    if labels:
        constants["vote"] = generator.normal(0, 1, (3, len(labels))).astype(np.float32)
    card = replace(card, outputs=tuple(outputs))
    encoder = folder / f"{name}.encoder.onnx"
    write(encoder, card, nodes, [_PICTURE], values, constants, **card_overrides)
    decoder = replace(
        card,
        role="decoder",
        inputs=(card.outputs[0],),
        outputs=(picture_port(),),
        labels=(),
        **card_overrides,
    )
    nodes = [
        helper.make_node("MatMul", ["code", "spread"], ["flat"]),
        helper.make_node("Sigmoid", ["flat"], ["bright"]),
        helper.make_node("Reshape", ["bright", "shape"], ["picture"]),
    ]
    constants = {"spread": spread, "shape": np.array([-1, 3, SIDE, SIDE], np.int64)}
    write(
        folder / f"{name}.decoder.onnx",
        decoder,
        nodes,
        [_value("code", "batch", latent)],
        [_value("picture", "batch", 3, SIDE, SIDE)],
        constants,
    )
    files = (encoder, encoder.with_name(f"{name}.decoder.onnx"))
    if "family_digest" not in card_overrides:
        _share_digest(files)
    return encoder


def _share_digest(files: Sequence[Path]) -> None:
    """Give the cards of one family the digest that they share."""
    cards = [read_card(file) for file in files]
    digest = hashlib.sha256(b"".join(bytes.fromhex(card.digest) for card in cards)).hexdigest()
    for file, card in zip(files, cards, strict=True):
        file.write_bytes(embed_card(file.read_bytes(), replace(card, family_digest=digest)))


def tiny_detector(path: Path, **card_overrides: Any) -> Path:
    """Write a detector: heat is how far the mean of a pixel's colours is from mid-grey."""
    axes = ("batch", "height", "width")
    calibration = Calibration(threshold=0.4, false_positive_rate=0.05, quantiles=QUANTILES)
    card = Card(
        name="tiny-detector",
        task="detect",
        inputs=(picture_port(),),
        outputs=(
            Port(name="heat", meaning="heat", axes=axes, minimum=0.0),
            Port(name="score", meaning="score", axes=("batch",)),
        ),
        licence="CC0-1.0",
        height=SIDE,
        width=SIDE,
        calibrations={"heat": calibration, "score": calibration},
    )
    nodes = [
        helper.make_node("ReduceMean", ["picture", "channel"], ["grey"], keepdims=0),
        helper.make_node("Sub", ["grey", "half"], ["away"]),
        helper.make_node("Abs", ["away"], ["heat"]),
        helper.make_node("ReduceMax", ["heat", "plane"], ["score"], keepdims=0),
    ]
    constants = {
        "channel": np.array([1], np.int64),
        "plane": np.array([1, 2], np.int64),
        "half": np.float32(0.5),
    }
    outputs = [_value("heat", "batch", "height", "width"), _value("score", "batch")]
    return write(path, card, nodes, [_PICTURE], outputs, constants, **card_overrides)


def tiny_outlier_finder(path: Path, **card_overrides: Any) -> Path:
    """Write a finder of outliers: neighbours is the mean brightness, elbo its negative."""
    calibrations = {
        "neighbours": Calibration(threshold=0.5, false_positive_rate=0.05, quantiles=QUANTILES),
        "elbo": Calibration(
            threshold=-0.2,
            false_positive_rate=0.05,
            quantiles={key: value - 0.6 for key, value in QUANTILES.items()},
        ),
    }
    card = Card(
        name="tiny-outliers",
        task="outliers",
        inputs=(picture_port(),),
        outputs=tuple(Port(name=n, meaning="score", axes=("batch",)) for n in calibrations),
        licence="CC0-1.0",
        calibrations=calibrations,
    )
    nodes = [
        helper.make_node("ReduceMean", ["picture", "all"], ["neighbours"], keepdims=0),
        helper.make_node("Neg", ["neighbours"], ["elbo"]),
    ]
    outputs = [_value("neighbours", "batch"), _value("elbo", "batch")]
    constants = {"all": np.array([1, 2, 3], np.int64)}
    return write(path, card, nodes, [_PICTURE], outputs, constants, **card_overrides)
