"""Build ONNX files that a reader must refuse, and state how it must refuse them."""

import errno
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tests.runtime.tiny_models import upscaler_card, upscaler_proto

from anamorph.card import Card
from anamorph.errors import AnamorphError
from anamorph.model_file import embed_card


def assert_one_line(caught: pytest.ExceptionInfo[AnamorphError], name: object, cure: str) -> None:
    """Assert that an error is one line that names the file and a cure."""
    message = str(caught.value)
    assert "\n" not in message
    assert str(name) in message
    assert cure in message


def forbid(monkeypatch: pytest.MonkeyPatch, forbidden: Path, call: str) -> None:
    """Let a call of ``Path`` fail for one path as the system refuses it, even to the superuser."""
    original = getattr(Path, call)

    def refuse(path: Path, *args: object, **kwargs: object) -> object:
        if path == forbidden:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return original(path, *args, **kwargs)

    monkeypatch.setattr(Path, call, refuse)


def write_with_card(path: Path, proto: onnx.ModelProto, card: Card | None = None) -> Path:
    """Write a model under the card of a tiny upscaler, whatever the model is."""
    path.write_bytes(embed_card(proto.SerializeToString(), card or upscaler_card()))
    return path


def outside(name: str = "weights") -> TensorProto:
    """Return a tensor whose numbers lie in another file."""
    tensor = TensorProto(name=name, dims=[1], data_type=TensorProto.FLOAT)
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")
    return tensor


def with_outside_initializer() -> onnx.ModelProto:
    """Return a model with an initialiser outside the file."""
    proto = upscaler_proto()
    proto.graph.initializer.append(outside())
    return proto


def with_outside_attribute() -> onnx.ModelProto:
    """Return a model with a constant outside the file."""
    proto = upscaler_proto()
    proto.graph.node.append(helper.make_node("Constant", [], ["c"], value=outside()))
    return proto


def with_outside_subgraph() -> onnx.ModelProto:
    """Return a model with a weight outside the file within a branch."""
    proto = upscaler_proto()
    branch = helper.make_graph([], "branch", [], [], [outside()])
    node = helper.make_node("If", ["c"], ["d"], then_branch=branch, else_branch=branch)
    proto.graph.node.append(node)
    return proto


def with_outside_sparse() -> onnx.ModelProto:
    """Return a model with sparse values outside the file."""
    proto = upscaler_proto()
    sparse = onnx.SparseTensorProto(dims=[1])
    sparse.values.CopyFrom(outside())
    sparse.indices.CopyFrom(numpy_helper.from_array(np.zeros(1, np.int64)))
    proto.graph.sparse_initializer.append(sparse)
    return proto


def with_outside_function() -> onnx.ModelProto:
    """Return a model with a constant outside the file within a function."""
    proto = upscaler_proto()
    node = helper.make_node("Constant", [], ["c"], value=outside())
    opset = helper.make_opsetid("", 18)
    proto.functions.append(helper.make_function("custom", "f", [], ["c"], [node], [opset]))
    return proto


def with_outside_training() -> onnx.ModelProto:
    """Return a model with a weight outside the file among what training left."""
    proto = upscaler_proto()
    proto.training_info.add().algorithm.CopyFrom(
        helper.make_graph([], "algorithm", [], [], [outside()])
    )
    return proto


def with_location_flag_only() -> onnx.ModelProto:
    """Return a model with a tensor that says it lies outside, but not where."""
    proto = upscaler_proto()
    tensor = TensorProto(name="w", dims=[1], data_type=TensorProto.FLOAT)
    tensor.data_location = TensorProto.EXTERNAL
    proto.graph.initializer.append(tensor)
    return proto


def with_compiled_engine() -> onnx.ModelProto:
    """Return a model with a node that names an engine to load from a file."""
    proto = upscaler_proto()
    proto.graph.node.append(
        helper.make_node("EPContext", [], ["c"], domain="com.microsoft", embed_mode=0)
    )
    return proto


def with_operator(name: str, domain: str = "") -> onnx.ModelProto:
    """Return an upscaler whose last node is of another operator."""
    proto = upscaler_proto()
    proto.graph.node[-1].op_type = name
    proto.graph.node[-1].domain = domain
    if domain:
        proto.opset_import.append(helper.make_opsetid(domain, 1))
    return proto


def nested(depth: int) -> onnx.ModelProto:
    """Return a model with branches within branches."""
    proto = upscaler_proto()
    graph = helper.make_graph([], "leaf", [], [])
    for level in range(depth):
        node = helper.make_node("If", ["c"], ["d"], then_branch=graph, else_branch=_leaf())
        graph = helper.make_graph([node], f"level{level}", [], [])
    proto.graph.node.append(helper.make_node("If", ["c"], ["d"], then_branch=graph))
    return proto


def _leaf() -> onnx.GraphProto:
    return helper.make_graph([], "leaf", [], [])
