"""Turn a PyTorch module into the bytes of an ONNX file: one graph, clean, weights as float16."""

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any, Final

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

OPSET: Final = 18
# The lowest version of the file format that opset 18 allows (ONNX 1.13).
IR_VERSION: Final = 8
# The oldest ONNX Runtime that was tried on such files; 1.14 knows only part of opset 18.
MINIMUM_ONNXRUNTIME: Final = "1.15"
_HALF_FROM: Final = 64  # numbers; below that a Cast costs more bytes than it saves


def to_onnx(
    graph: nn.Module,
    inputs: Mapping[str, Tensor],
    outputs: Sequence[str],
    *,
    axes: Mapping[str, Mapping[int, str]],
) -> onnx.ModelProto:
    """Export a module as an ONNX graph of opset 18 without any trace of where it was made.

    Args:
        graph: In evaluation mode; its weights are stored as they are, and as float16 where that
            loses nothing (see ``round_to_half``).
        inputs: An example of each argument of ``forward``, by name; sizes along dynamic axes
            should be two or more and differ from each other.
        outputs: Names of what ``forward`` returns.
        axes: Names of the dynamic axes of each input, by number.
    """
    with _quiet_exporter():
        program = torch.onnx.export(
            graph,
            tuple(inputs.values()),
            dynamo=True,
            opset_version=OPSET,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_shapes=tuple(dict(axes[name]) for name in inputs),
            external_data=False,
            verbose=False,
        )
    assert program is not None
    named = _name_weights(program.model_proto, graph)
    return _tidy(_store_half(named), type(graph).__name__)


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Silence PyTorch's remarks on packages that are not installed and not needed."""
    log = logging.getLogger("torch.onnx")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(before)


def _name_weights(model: onnx.ModelProto, graph: nn.Module) -> onnx.ModelProto:
    """Give matrices that the exporter turned round the name of their parameter, and ``.T``.

    So that the weights can be read back from the file (`anamorph_training.onnx_weights`).
    """
    known = {
        (parameter.T.shape, parameter.detach().T.contiguous().numpy().tobytes()): f"{name}.T"
        for name, parameter in graph.named_parameters()
        if parameter.dim() == 2
    }
    own = dict(graph.named_parameters())
    names: dict[str, str] = {}
    for tensor in model.graph.initializer:
        if tensor.name in own or tensor.data_type != TensorProto.FLOAT or len(tensor.dims) != 2:
            continue
        values = numpy_helper.to_array(tensor)
        name = known.get((torch.Size(values.shape), values.tobytes()))
        if name and name not in names.values():
            names[tensor.name] = name
            tensor.name = name
    for node in model.graph.node:
        for index, given in enumerate(node.input):
            node.input[index] = names.get(given, given)
    return model


def _store_half(model: onnx.ModelProto) -> onnx.ModelProto:
    """Store each large tensor that float16 holds exactly as such, with a Cast to float32.

    Others (folded statistics, Fourier bases) stay float32: nothing is rounded here.
    """
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(tensor)
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        if values.size < _HALF_FROM or not np.array_equal(half.astype(np.float32), values):
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(half, f"{name}.float16"))
        casts.append(
            helper.make_node("Cast", [tensor.name], [name], f"widen {name}", to=TensorProto.FLOAT)
        )
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def _tidy(model: onnx.ModelProto, name: str) -> onnx.ModelProto:
    """Return a model with the same graph and nothing that tells of the machine it was made on."""
    graph = onnx.GraphProto()
    graph.CopyFrom(model.graph)
    graph.name = name
    del graph.value_info[:]
    _forget_origin(graph)
    return helper.make_model(
        graph,
        ir_version=IR_VERSION,
        opset_imports=list(model.opset_import),
        producer_name="anamorph",
        producer_version=version("anamorph"),
        functions=list(model.functions),
    )


def _forget_origin(message: Any) -> None:
    """Drop documentation and metadata, where the exporter keeps stack traces, at any depth."""
    for field, value in message.ListFields():
        if field.name in {"doc_string", "metadata_props"}:
            message.ClearField(field.name)
        elif field.message_type is not None:
            for part in [value] if hasattr(value, "ListFields") else value:
                _forget_origin(part)
