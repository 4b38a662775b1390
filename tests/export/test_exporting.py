from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, numpy_helper
from tests.export.conftest import Exported
from torch import nn

from anamorph_export.deploying import simplified, upscaler_onnx
from anamorph_export.exporting import to_onnx
from anamorph_export.graphs import UpscalerGraph
from anamorph_training.networks.srresnet import SRResNet


def operators(data: bytes) -> list[str]:
    return [node.op_type for node in onnx.load_from_string(data).graph.node]


def test_a_direct_network_leaves_as_convolutions_and_little_else() -> None:
    network = SRResNet(
        scale=4,
        channels=16,
        blocks=1,
        head_kernel=3,
        tail_kernel=3,
        upsampling="direct",
        image_skip=True,
    ).eval()
    data = upscaler_onnx(simplified(UpscalerGraph(network)))
    computing = [name for name in operators(data) if name != "Cast"]
    assert set(computing) == {"Conv", "LeakyRelu", "Add", "Gather", "DepthToSpace", "Clip"}
    assert computing.count("Gather") == computing.count("DepthToSpace") == 1


def test_the_papers_network_leaves_without_shape_computations() -> None:
    network = SRResNet(scale=4, channels=8, blocks=1).eval()
    data = upscaler_onnx(simplified(UpscalerGraph(network)))
    assert set(operators(data)) == {"Cast", "Conv", "LeakyRelu", "Add", "DepthToSpace", "Clip"}


def test_pixel_shuffle_keeps_pytorchs_order_of_channels(exported: Exported) -> None:
    model = onnx.load_from_string(exported.data)
    shuffle = next(node for node in model.graph.node if node.op_type == "DepthToSpace")
    assert {a.name: a.s for a in shuffle.attribute if a.name == "mode"} == {"mode": b"CRD"}


def test_kernels_are_stored_as_float16_and_computed_as_float32(exported: Exported) -> None:
    model = onnx.load_from_string(exported.data)
    kernel = next(t for t in model.graph.initializer if "weight" in t.name)
    assert kernel.data_type == TensorProto.FLOAT16
    cast = next(node for node in model.graph.node if kernel.name in node.input)
    assert cast.op_type == "Cast"
    stored = numpy_helper.to_array(kernel).astype(np.float32)
    weight = exported.graph.get_parameter("network.convolution.weight").detach().numpy()
    assert np.array_equal(stored, weight)


def test_numbers_that_float16_would_round_stay_float32() -> None:
    class Basis(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.basis: torch.Tensor
            self.register_buffer("basis", torch.cos(torch.arange(256.0)).reshape(16, 16))

        def forward(self, samples: torch.Tensor) -> torch.Tensor:
            return samples @ self.basis

    axes = {"samples": {0: "batch"}}
    model = to_onnx(Basis().eval(), {"samples": torch.rand(3, 16)}, ["bands"], axes=axes)
    assert [t.data_type for t in model.graph.initializer] == [TensorProto.FLOAT]


def test_sizes_stay_open_and_ports_are_named(exported: Exported) -> None:
    graph = onnx.load_from_string(exported.data).graph
    assert [value.name for value in graph.input] == ["picture"]
    assert [value.name for value in graph.output] == ["upscaled"]
    names = [d.dim_param or d.dim_value for d in graph.input[0].type.tensor_type.shape.dim]
    assert names == ["batch", 3, "height", "width"]


def test_nothing_tells_of_the_machine(exported: Exported) -> None:
    model = onnx.load_from_string(exported.data)
    for folder in (Path.cwd(), Path.home(), Path(torch.__file__).parent, Path(__file__).parent):
        assert str(folder).encode() not in exported.data
    assert b".py" not in exported.data
    assert not model.metadata_props
    assert not any(n.doc_string or n.metadata_props for n in model.graph.node)
    assert model.producer_name == "anamorph"


def test_the_same_network_gives_the_same_bytes(exported: Exported) -> None:
    assert upscaler_onnx(exported.graph) == exported.data
