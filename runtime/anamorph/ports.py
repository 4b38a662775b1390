"""Whether the inputs and outputs of a graph are those on its card, and those of its task."""

from typing import Any, Final

from anamorph.card import Card, Port, printable
from anamorph.errors import ModelFileError

_ELEMENT_TYPES: Final = {
    "float32": "tensor(float)",
    "float16": "tensor(float16)",
    "int64": "tensor(int64)",
}
_PICTURE_AXES: Final = ("batch", "channel", "height", "width")
_PICTURE_CHANNELS: Final = ("red", "green", "blue")
_WAVEFORM: Final = ("waveform", ("batch", "samples"))
_RGB_PICTURE: Final = (_PICTURE_AXES, _PICTURE_CHANNELS, 0, 1)
_CODE: Final = ("batch", "latent")
_SCORE: Final = ("batch",)
SCORES: Final = ("neighbours", "density", "mahalanobis", "elbo")
"""What can tell outliers, in the order of the outputs, of which any may be absent."""

_Axes = dict[str, tuple[str, ...]]
# By task and role: axes of the inputs, of the outputs, and of further outputs that may be absent.
_NAMED: Final[dict[tuple[str, str], tuple[_Axes, _Axes, _Axes]]] = {
    ("reconstruct", "encoder"): (
        {"picture": _PICTURE_AXES},
        {"code": _CODE},
        {"deviation": _CODE, "chances": ("batch", "class")},
    ),
    ("reconstruct", "decoder"): ({"code": _CODE}, {"picture": _PICTURE_AXES}, {}),
    ("detect", "model"): (
        {"picture": _PICTURE_AXES},
        {"heat": ("batch", "height", "width"), "score": _SCORE},
        {},
    ),
    ("outliers", "model"): ({"picture": _PICTURE_AXES}, {}, dict.fromkeys(SCORES, _SCORE)),
}
_SEQUENCES: Final = {
    "convert": (_WAVEFORM, _WAVEFORM),
    "vocode": (("mel", ("batch", "band", "frames")), _WAVEFORM),
}


def check_ports(card: Card, session: Any, origin: str) -> None:
    """Compare the card's inputs and outputs with the graph's.

    Args:
        card: What the model says of itself.
        session: ONNX Runtime's session.
        origin: Where the model came from, for messages.

    Raises:
        ModelFileError: Names, ranks, element types, channels or free axes disagree, or the card
            of an upscaler describes no RGB pictures in [0, 1].
    """
    for kind, ports, nodes in (
        ("input", card.inputs, session.get_inputs()),
        ("output", card.outputs, session.get_outputs()),
    ):
        names = [port.name for port in ports]
        actual = [node.name for node in nodes]
        if names != actual:
            raise _lies(
                origin,
                f"{kind}s {', '.join(names) or 'none'}",
                printable(", ".join(actual)) or "none",
            )
        for port, node in zip(ports, nodes, strict=True):
            _check_port(card, origin, kind, port, node)
    if card.task in {task for task, _ in _NAMED}:
        _check_named(card, origin)
    if card.task in _SEQUENCES:
        _check_sequence(card, origin)
    if card.task == "upscale":
        for kind, ports in (("input", card.inputs), ("output", card.outputs)):
            seen = [(port.axes, port.channels, port.minimum, port.maximum) for port in ports]
            if seen != [(_PICTURE_AXES, _PICTURE_CHANNELS, 0, 1)]:
                raise ModelFileError(
                    f"{origin}: its card says that it upscales, but its {kind} is no RGB "
                    f"picture in [0, 1] of axes {', '.join(_PICTURE_AXES)}; export it again"
                )


def _check_sequence(card: Card, origin: str) -> None:
    """Refuse a card whose task it is to make a waveform, where its ports or rates do not fit."""
    seen = tuple(
        tuple((port.meaning, port.axes) for port in ports) for ports in (card.inputs, card.outputs)
    )
    wanted = tuple((port,) for port in _SEQUENCES[card.task])
    if seen != wanted or not card.sample_rate or (card.task == "vocode") != bool(card.hop_length):
        raise ModelFileError(
            f"{origin}: its card says {card.task}, but not one input, output, sample rate and hop "
            "that belong to it; export it again"
        )


def _check_named(card: Card, origin: str) -> None:
    """Refuse a card whose inputs and outputs are not those that its task names."""
    inputs, outputs, further = _NAMED.get((card.task, card.role), ({}, {}, {}))
    known = outputs | further
    right = [(port.name, port.axes) for port in card.inputs] == list(inputs.items())
    right &= all(known.get(port.name) == port.axes for port in card.outputs)
    right &= bool(card.outputs) and outputs.keys() <= {port.name for port in card.outputs}
    for port in (*card.inputs, *card.outputs):
        if port.name == "picture":
            right &= (port.axes, port.channels, port.minimum, port.maximum) == _RGB_PICTURE
    right &= bool(card.labels) or all(port.name != "chances" for port in card.outputs)
    if card.task in ("detect", "outliers"):
        right &= all("0.5" in one.quantiles for one in card.calibrations.values())
        right &= card.calibrations.keys() == {port.name for port in card.outputs}
    right &= card.task != "reconstruct" or bool(card.latent_width and card.height and card.width)
    if not right:
        raise ModelFileError(
            f"{origin}: its card says {card.task}, role {card.role}, but not the inputs, outputs "
            "and sizes that belong to it; export it again"
        )


def _check_port(card: Card, origin: str, kind: str, port: Port, node: Any) -> None:
    if node.type != _ELEMENT_TYPES[port.dtype]:
        raise _lies(origin, f"{kind} {port.name} of {port.dtype}", node.type)
    if not node.shape:
        return  # the graph leaves it open; the first run will tell
    if len(node.shape) != len(port.axes):
        raise _lies(origin, f"{kind} {port.name} of {len(port.axes)} axes", f"{node.shape}")
    for axis, extent in zip(port.axes, node.shape, strict=True):
        if not isinstance(extent, int):
            continue
        if axis in ("channel", "band") and port.channels and extent != len(port.channels):
            raise _lies(
                origin, f"{kind} {port.name} of {len(port.channels)} {axis}s", f"{node.shape}"
            )
        fixed = {"height": card.height, "width": card.width} if card.role == "decoder" else {}
        counted = fixed | {"latent": card.latent_width, "class": len(card.labels)}
        if axis in counted and extent != counted[axis]:
            raise _lies(origin, f"{kind} {port.name} of {axis} {counted[axis]}", f"{extent}")
        if axis in ("batch", "height", "width", "samples", "frames") and axis not in counted:
            raise _lies(origin, f"{kind} {port.name} of any {axis}", f"only {extent}")


def _lies(origin: str, card: str, graph: str) -> ModelFileError:
    return ModelFileError(
        f"{origin}: its card says {card}, its graph says {graph}; export it again"
    )
