"""Each test plants one fault and sees the gate refuse it."""

from collections.abc import Callable

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper
from tests.export.conftest import Exported
from tests.export.networks import LinearUpscaler, fitted_upscaler
from torch import Tensor, nn
from torch.nn import functional as F

from anamorph_export import gate
from anamorph_export.deploying import unseen_batches, upscaler_onnx
from anamorph_export.gate import GateError
from anamorph_export.graphs import UpscalerGraph
from anamorph_export.pictures import natural_pictures, random_pictures

BATCH = torch.from_numpy(natural_pictures(3, 16, 20, seed=4))


class Noisy(LinearUpscaler):
    """Dropout that evaluation mode does not switch off."""

    def forward(self, image: Tensor) -> Tensor:
        return super().forward(F.dropout(image, 0.1, training=True))


class BatchStatistics(LinearUpscaler):
    """Batch norm that evaluation mode does not switch off."""

    def forward(self, image: Tensor) -> Tensor:
        return super().forward(F.batch_norm(image, None, None, training=True))


class Resizing(nn.Module):
    scale, context = 2, 1

    def forward(self, image: Tensor) -> Tensor:
        return F.interpolate(image, scale_factor=2, mode="bilinear", align_corners=False)


def test_a_good_network_passes(exported: Exported) -> None:
    assert gate.check_network(exported.network).check == "network"
    assert gate.check_determinism(exported.network, BATCH).found == "equal to the bit"
    assert gate.check_rounding(exported.network, exported.graph.network, BATCH)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(value: float) -> None:
    network = fitted_upscaler()
    with torch.no_grad():
        network.convolution.weight[0, 0, 0, 0] = value
    with pytest.raises(GateError, match=r"convolution\.weight holds NaN or infinity"):
        gate.check_network(network)


@pytest.mark.parametrize("layer", [nn.Dropout2d(0.1), nn.BatchNorm2d(3)])
def test_a_layer_left_in_training_mode_is_named(layer: nn.Module) -> None:
    network = nn.Sequential(layer, fitted_upscaler()).eval()
    layer.train()
    with pytest.raises(GateError, match=rf"0 \({type(layer).__name__}\) is in training mode"):
        gate.check_network(network)
    layer.eval()
    gate.check_network(network)


def test_dropout_in_forward_is_refused() -> None:
    with pytest.raises(GateError, match="two runs on the same input differ"):
        gate.check_determinism(Noisy().eval(), BATCH)


def test_batch_norm_over_the_batch_is_refused() -> None:
    with pytest.raises(GateError, match="with the other inputs of its batch"):
        gate.check_determinism(BatchStatistics().eval(), BATCH)


def test_weights_that_float16_distorts_are_refused(exported: Exported) -> None:
    distorted = fitted_upscaler()
    with torch.no_grad():
        distorted.convolution.weight.mul_(1.01)
    with pytest.raises(GateError, match="weights as float16 change the output by"):
        gate.check_rounding(exported.network, distorted, BATCH)


def _changed(data: bytes, change: Callable[[onnx.ModelProto], object]) -> bytes:
    model = onnx.load_from_string(data)
    change(model)
    changed: bytes = model.SerializeToString()
    return changed


def _outside(model: onnx.ModelProto) -> None:
    tensor = model.graph.initializer[0]
    onnx.external_data_helper.set_external_data(tensor, "weights.bin")
    tensor.ClearField("raw_data")


def _foreign(model: onnx.ModelProto) -> None:
    model.graph.node[-1].domain = "com.example"
    model.opset_import.append(helper.make_opsetid("com.example", 1))


def _random(model: onnx.ModelProto) -> None:
    model.graph.node[-1].op_type = "Dropout"


def _nested(model: onnx.ModelProto) -> None:
    """Hide a random operator in the branches of an If."""
    value = helper.make_tensor_value_info("noise", onnx.TensorProto.FLOAT, None)
    noise = helper.make_node("RandomNormal", [], ["noise"], shape=[1])
    branch = helper.make_graph([noise], "branch", [], [value])
    flag = helper.make_node("Constant", [], ["flag"], value=numpy_helper.from_array(np.array(True)))
    model.graph.node.extend(
        [flag, helper.make_node("If", ["flag"], ["x"], then_branch=branch, else_branch=branch)]
    )


def _traced(model: onnx.ModelProto) -> None:
    model.graph.node[0].doc_string = f'File "{torch.__file__}", line 1'


def _newer_opset(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 19


def _newer_format(model: onnx.ModelProto) -> None:
    model.ir_version = 10


def _broken(model: onnx.ModelProto) -> None:
    model.graph.node[-1].input[0] = "nowhere"


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (_foreign, "com.example"),
        (_random, "Dropout"),
        (_nested, "RandomNormal"),
        (_traced, "local path"),
        (_newer_opset, "opset 18 alone"),
        (_newer_format, "IR 10"),
        (_broken, "checker: "),
    ],
)
def test_a_graph_that_is_not_plain_is_refused(
    exported: Exported, fault: Callable[[onnx.ModelProto], None], message: str
) -> None:
    gate.check_graph(exported.data)
    with pytest.raises(GateError, match=message) as refusal:
        gate.check_graph(_changed(exported.data, fault))
    assert "\n" not in str(refusal.value)


def test_weights_in_another_file_are_refused(exported: Exported) -> None:
    with pytest.raises(GateError, match=r"in another file|checker: "):
        gate.check_graph(_changed(exported.data, _outside))


def test_a_graph_that_onnx_runtime_cannot_load_is_refused(exported: Exported) -> None:
    with pytest.raises(GateError, match="ONNX Runtime refuses the graph"):
        gate.open_run(_changed(exported.data, _broken))


def test_parity_is_tight_at_every_size_and_recorded(exported: Exported) -> None:
    batches = unseen_batches(exported.card)
    run = gate.open_run(exported.data)
    finding, result = gate.check_parity(exported.graph, run, batches, output_range=1.0)
    assert finding.check == "parity"
    assert result.greatest_error < 1e-5
    shapes = [batch.shape for batch in batches]
    assert result.shapes == tuple(shapes)
    assert {shape[0] for shape in shapes} >= {1, 2}
    assert (1, 1) in {shape[2:] for shape in shapes}
    assert any(shape[2] % 2 and shape[3] % 2 for shape in shapes)


def test_a_resize_with_another_alignment_is_refused() -> None:
    graph = UpscalerGraph(Resizing().eval())
    data = upscaler_onnx(graph)
    batches = [random_pictures(2, 9, 11, seed=1)]
    gate.check_parity(graph, gate.open_run(data), batches, output_range=1.0)

    def realign(model: onnx.ModelProto) -> None:
        resize = next(node for node in model.graph.node if node.op_type == "Resize")
        for attribute in resize.attribute:
            if attribute.name == "coordinate_transformation_mode":
                attribute.s = b"asymmetric"

    run = gate.open_run(_changed(data, realign))
    with pytest.raises(GateError, match="ONNX Runtime and PyTorch differ by"):
        gate.check_parity(graph, run, batches, output_range=1.0)


def test_other_output_sizes_are_refused(exported: Exported) -> None:
    with pytest.raises(GateError, match=r"gives \(1, 3, 8, 7\), PyTorch \(1, 3, 8, 8\)"):
        gate.check_parity(
            exported.graph,
            lambda batch: np.zeros((1, 3, 8, 7), np.float32),
            [random_pictures(1, 4, 4, seed=0)],
            output_range=1.0,
        )


def test_nan_in_the_output_is_refused(exported: Exported) -> None:
    def run(batch: gate.Floats) -> gate.Floats:
        return np.full((1, 3, 8, 8), np.nan, np.float32)

    with pytest.raises(GateError, match="differ by nan"):
        gate.check_parity(exported.graph, run, [random_pictures(1, 4, 4, seed=0)], output_range=1.0)


def test_a_file_that_changes_its_mind_is_refused(exported: Exported) -> None:
    run = gate.open_run(exported.data)
    jitter = iter((0.0, 1e-6))

    def unsteady(batch: gate.Floats) -> gate.Floats:
        return run(batch) + np.float32(next(jitter))

    with pytest.raises(GateError, match="two runs of the file"):
        gate.check_parity(
            exported.graph, unsteady, [random_pictures(1, 4, 4, seed=0)], output_range=1.0
        )
