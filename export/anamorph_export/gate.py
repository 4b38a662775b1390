"""The gate: what every graph has to show before its file may exist.

Each check is a function of its own. It returns a finding, or raises a `GateError` whose one line
says what was found, what is allowed and what to do.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from anamorph.card import Gate
from anamorph.errors import AnamorphError
from anamorph_export.exporting import IR_VERSION, OPSET

# Greatest difference between ONNX Runtime and PyTorch, as a share of the output's range.
PARITY_TOLERANCE: Final = 1e-4
# What rounding the weights to float16 may change: half a step of an 8-bit picture or so.
ROUNDING_TOLERANCE: Final = 0.5 / 255
_RANDOM_OPERATORS: Final = (
    "Bernoulli",
    "Dropout",
    "Multinomial",
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
)

Floats = NDArray[np.float32]
Run = Callable[[Floats], Floats]


class GateError(AnamorphError, ValueError):
    """A network or its exported graph failed a check; no file is written."""


@dataclass(frozen=True)
class Finding:
    """One check that was passed.

    Attributes:
        check: What was checked.
        found: What was measured.
        allowed: What is accepted.
    """

    check: str
    found: str
    allowed: str


def check_network(network: nn.Module) -> Finding:
    """Refuse weights that are not finite, and layers that are still in training mode."""
    for name, tensor in [*network.named_parameters(), *network.named_buffers()]:
        if not bool(torch.isfinite(tensor).all()):
            raise GateError(
                f"weights: {name} holds NaN or infinity, only finite numbers are accepted; the "
                "training diverged: train again with a lower learning rate"
            )
    for name, module in network.named_modules():
        if module.training:
            raise GateError(
                f"mode: {name or 'the network'} ({type(module).__name__}) is in training mode, "
                "every layer must be in evaluation mode; call network.eval() before the export"
            )
    count = sum(parameter.numel() for parameter in network.parameters())
    return Finding("network", f"{count:,} finite weights, at rest", "finite, evaluation mode")


@torch.no_grad()
def check_determinism(network: nn.Module, batch: Tensor) -> Finding:
    """Refuse a network that answers differently when run again or in other company.

    Args:
        network: In evaluation mode.
        batch: Two unlike examples or more, along the first axis.

    Raises:
        GateError: Two runs differ in any bit (dropout left on), or an example's answer depends on
            the others in its batch (batch norm left in training mode).
    """
    together = network(batch)
    if not torch.equal(together, network(batch)):
        raise GateError(
            "determinism: two runs on the same input differ, they must be equal to the bit; "
            "switch off dropout and noise in the forward pass"
        )
    alone = network(batch[:1])
    change = float((together[:1] - alone).abs().max() / _spread(together))
    if not change <= PARITY_TOLERANCE:
        raise GateError(
            f"determinism: an output changes by {change:.2g} of its range with the other inputs "
            f"of its batch, {PARITY_TOLERANCE:g} is allowed; take batch norm out of training mode"
        )
    return Finding("determinism", "equal to the bit", "two runs equal, no matter the batch")


@torch.no_grad()
def check_rounding(trained: nn.Module, rounded: nn.Module, batch: Tensor) -> Finding:
    """Refuse a network that float16 weights change visibly.

    Args:
        trained: As it was trained.
        rounded: The same, simplified and rounded.
        batch: Examples, first axis batch.
    """
    expected = trained(batch)
    error = float((rounded(batch) - expected).abs().max() / max(1.0, _spread(expected)))
    if not error <= ROUNDING_TOLERANCE:
        raise GateError(
            f"rounding: weights as float16 change the output by {error:.2g} of its range, "
            f"{ROUNDING_TOLERANCE:.2g} is allowed; store the weights as float32 or train with "
            "weight decay"
        )
    return Finding("rounding", f"{error:.1e} of the range", f"at most {ROUNDING_TOLERANCE:.1e}")


def check_graph(data: bytes) -> Finding:
    """Refuse a file that is not one plain, self-contained ONNX graph of the promised version."""
    model = onnx.load_from_string(data)
    try:
        onnx.checker.check_model(data, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        reason = str(error).strip().splitlines()[0]
        raise GateError(f"checker: {reason}; the graph must be valid ONNX: report a bug") from None
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    if opsets != {"": OPSET} or model.functions or model.ir_version > IR_VERSION:
        raise GateError(
            f"graph: it uses opsets {opsets}, IR {model.ir_version} and {len(model.functions)} "
            f"functions, opset {OPSET} alone and IR {IR_VERSION} are accepted; use plain operators"
        )
    _refuse_operators(model.graph)
    _refuse_traces(model)
    return Finding(
        "graph",
        f"opset {OPSET}, IR {model.ir_version}, {len(model.graph.node)} nodes, {len(data):,} bytes",
        f"opset {OPSET}, IR {IR_VERSION}, one file",
    )


def check_parity(
    reference: nn.Module, run: Run, batches: Sequence[Floats], *, output_range: float
) -> tuple[Finding, Gate]:
    """Refuse a graph that ONNX Runtime computes otherwise than PyTorch.

    Args:
        reference: Runs in PyTorch.
        run: Runs the exported file in ONNX Runtime.
        batches: Unseen inputs of several sizes and batch sizes.
        output_range: Greatest less least output, by the card.
    """
    import onnxruntime

    worst = 0.0
    for batch in batches:
        expected, got = answer(reference, batch), run(batch)
        if expected.shape != got.shape:
            raise GateError(
                f"parity: for input {batch.shape} ONNX Runtime gives {got.shape}, PyTorch "
                f"{expected.shape}; keep sizes symbolic in forward: no int() of a shape"
            )
        error = float(np.abs(expected - got).max()) / output_range
        if not error <= PARITY_TOLERANCE:
            raise GateError(
                f"parity: for input {batch.shape} ONNX Runtime and PyTorch differ by {error:.2g} "
                f"of the output's range, {PARITY_TOLERANCE:g} is allowed; look for an operator "
                "that the export translates otherwise (resizing, padding, rounding)"
            )
        if not np.array_equal(got, run(batch)):
            raise GateError(
                f"parity: two runs of the file on the same input {batch.shape} differ, they must "
                "be equal to the bit; take random operators out of forward"
            )
        worst = max(worst, error)
    result = Gate(
        shapes=tuple(tuple(batch.shape) for batch in batches),
        greatest_error=worst,
        tolerance=PARITY_TOLERANCE,
        onnxruntime=onnxruntime.__version__,
        pytorch=str(torch.__version__),
    )
    sizes = len(batches)
    return Finding(
        "parity", f"{worst:.1e} of the range, {sizes} shapes", f"at most {PARITY_TOLERANCE:.1e}"
    ), result


def open_run(data: bytes, ranges: Sequence[float] = (1.0,)) -> Run:
    """Open a file of one input in plain ONNX Runtime on the CPU.

    Args:
        data: The file.
        ranges: Of its outputs, by which they are divided where there are several; then they are
            joined, as `Joined` does in PyTorch.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own exceptions have no common base
        reason = str(error).strip().splitlines()[0]
        raise GateError(f"load: ONNX Runtime refuses the graph ({reason}); report a bug") from None
    name = session.get_inputs()[0].name

    def run(batch: Floats) -> Floats:
        results: list[Floats] = session.run(None, {name: batch})
        if len(ranges) == 1:
            return results[0]
        parts = [
            one.reshape(len(one), -1) / span for one, span in zip(results, ranges, strict=True)
        ]
        joined: Floats = np.concatenate(parts, axis=1, dtype=np.float32)
        return joined

    return run


class Joined(nn.Module):
    """A graph of several outputs as one of a single output, so that checks see all of them.

    Args:
        graph: Returns a tuple of tensors (b, ...).
        ranges: What each is divided by.
    """

    def __init__(self, graph: nn.Module, ranges: Sequence[float]) -> None:
        super().__init__()
        self.graph = graph
        self.ranges = tuple(ranges)
        self.training = graph.training

    def forward(self, given: Tensor) -> Tensor:
        """Return all outputs, float32 (b, numbers)."""
        made = zip(self.graph(given), self.ranges, strict=True)
        return torch.cat([one.reshape(len(one), -1) / span for one, span in made], dim=1)


@torch.no_grad()
def answer(reference: nn.Module, batch: Floats) -> Floats:
    """Return what PyTorch makes of a batch."""
    result: Floats = reference(torch.from_numpy(batch)).numpy()
    return result


def _spread(outputs: Tensor) -> float:
    return max(float(outputs.max() - outputs.min()), 1e-6)


def _refuse_operators(graph: Any) -> None:
    for tensor in graph.initializer:
        if tensor.external_data or tensor.data_location:
            raise GateError(
                f"graph: weight {tensor.name} lies in another file, all must lie in one; export "
                "without external data"
            )
    for node in graph.node:
        training = any(a.name == "training_mode" and a.i for a in node.attribute)
        if node.domain not in {"", "ai.onnx"} or node.op_type in _RANDOM_OPERATORS or training:
            raise GateError(
                f"graph: operator {node.domain or 'ai.onnx'}.{node.op_type} ({node.name}) is not "
                "accepted: standard operators at rest are; write forward without it"
            )
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                _refuse_operators(inner)


def _refuse_traces(model: onnx.ModelProto) -> None:
    """Refuse a file whose graph or card tells of the machine it was made on."""
    text = onnx.ModelProto()
    text.CopyFrom(model)
    for tensor in text.graph.initializer:
        tensor.ClearField("raw_data")  # among enough weights any few bytes can be found
    data = text.SerializeToString()
    folders = {Path.home(), Path.cwd(), Path(torch.__file__).parents[1], Path(__file__).parents[2]}
    traces = {str(folder).encode() for folder in folders if len(folder.parts) > 1}
    for trace in sorted(traces | {b'.py"'}):
        if trace in data:
            raise GateError(
                f"graph: it or its card holds the local path {trace.decode()!r}, no path is "
                "accepted; take it out of names, documentation and description"
            )
