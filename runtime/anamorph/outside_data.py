"""Refuse models that would make ONNX Runtime open another file.

https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from typing import Final

from anamorph.errors import ModelFileError
from anamorph.protobuf import BYTES, Walker, WireError

_MAX_DEPTH: Final = 64

# Field numbers of onnx.proto.
_TENSOR_EXTERNAL_DATA, _TENSOR_DATA_LOCATION = 13, 14
_NODE_OP_TYPE: Final = 4

# Which fields of a message hold messages that may, at some depth, hold a tensor.
_PARTS: Final[dict[str, dict[int, str]]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}


def refuse_outside_data(walker: Walker, size: int, origin: str) -> None:
    """Refuse tensors and nodes whose contents lie in another file, at any depth of the model.

    Args:
        walker: Over the whole file.
        size: Bytes of the file.
        origin: Where the model came from, for messages.

    Raises:
        ModelFileError: There is such a tensor or node.
        WireError: The file is damaged or nests too deeply.
    """
    _refuse(walker, (0, size), origin)


def _refuse(
    walker: Walker, span: tuple[int, int], origin: str, *, message: str = "model", depth: int = 0
) -> None:
    if depth > _MAX_DEPTH:
        raise WireError(f"it nests deeper than {_MAX_DEPTH} levels")
    for field in walker.fields(*span):
        if message == "tensor" and (
            field.number == _TENSOR_EXTERNAL_DATA
            or (field.number == _TENSOR_DATA_LOCATION and field.value)
        ):
            raise ModelFileError(
                f"{origin}: keeps weights in another file, which Anamorph never opens; export it "
                "as one file"
            )
        if (
            message == "node"
            and field.number == _NODE_OP_TYPE
            and walker.equals(field, b"EPContext")
        ):
            raise ModelFileError(
                f"{origin}: holds an engine compiled for one device (EPContext), which Anamorph "
                "never runs; export it as a plain model"
            )
        part = _PARTS[message].get(field.number)
        if part and field.wire == BYTES:
            inside = (field.start, field.end)
            _refuse(walker, inside, origin, message=part, depth=depth + 1)
