from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from msgspec.structs import replace
from onnx import TensorProto, helper
from tests.runtime import hostile_models
from tests.runtime.hostile_models import assert_one_line, write_with_card
from tests.runtime.tiny_models import AXES, RGB, tiny_upscaler, upscaler_card, upscaler_proto

from anamorph import session as sessions
from anamorph.card import Card, Port, Task
from anamorph.errors import InputError, ModelFileError, UnavailableError
from anamorph.model_file import read_model
from anamorph.session import Session, open_session


def _open(path: Path) -> Session:
    return open_session(read_model(path), device="cpu")


def _picture(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random(shape, np.float32)


def _port(name: str, **fields: Any) -> tuple[Port, ...]:
    return (replace(Port(name=name, meaning="picture", axes=AXES, channels=RGB), **fields),)


def test_runs_as_a_bare_session_does(tmp_path: Path) -> None:
    path = tiny_upscaler(tmp_path / "tiny.onnx", scale=3)
    session = _open(path)
    batch = _picture(2, 3, 7, 11)
    bare = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    expected = bare.run(None, {"picture": batch})[0]
    result = session.run(batch)
    assert result.dtype == np.float32
    assert result.shape == (2, 3, 21, 33)
    np.testing.assert_allclose(result, expected, atol=1e-6)
    np.testing.assert_array_equal(session.run_named({"picture": batch})["upscaled"], result)


def test_tells_where_it_runs(tmp_path: Path) -> None:
    model = read_model(tiny_upscaler(tmp_path / "tiny.onnx"))
    session = open_session(model, device="cpu", threads=1)
    assert session.device == "cpu"
    assert session.provider == "CPUExecutionProvider"
    assert session.threads == 1
    assert session.card == model.card
    assert open_session(model).device in ("cpu", "cuda", "coreml", "directml")


def test_is_deterministic(tmp_path: Path) -> None:
    session = _open(tiny_upscaler(tmp_path / "tiny.onnx"))
    batch = _picture(1, 3, 33, 17)
    np.testing.assert_array_equal(session.run(batch), session.run(batch))


def test_runs_the_verified_bytes_not_the_file(tmp_path: Path) -> None:
    path = tiny_upscaler(tmp_path / "tiny.onnx")
    model = read_model(path)
    path.write_bytes(b"replaced in between")
    assert open_session(model, device="cpu").run(_picture(1, 3, 2, 2)).shape == (1, 3, 4, 4)


def test_options_are_those_documented() -> None:
    options = sessions.session_options(onnxruntime, 3)
    assert options.intra_op_num_threads == 3
    assert options.enable_cpu_mem_arena
    assert not options.enable_mem_pattern
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    assert options.graph_optimization_level == onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL


@pytest.mark.parametrize("threads", [0, -1, 5000])
def test_refuses_impossible_threads(tmp_path: Path, threads: int) -> None:
    model = read_model(tiny_upscaler(tmp_path / "tiny.onnx"))
    with pytest.raises(InputError, match="from 1 to 1024"):
        open_session(model, threads=threads)


AGAIN = "export it again"
GREY = {
    "inputs": _port("picture", channels=("grey",)),
    "outputs": _port("upscaled", channels=("grey",)),
}
LIES: list[tuple[dict[str, Any], dict[str, Any], str, str]] = [
    ({}, {"scale": 3}, "promises", "export the model again"),
    ({}, {"inputs": _port("image")}, "inputs image, its graph says picture", AGAIN),
    ({}, {"outputs": _port("image")}, "outputs image", AGAIN),
    ({}, {"inputs": _port("picture", axes=AXES[1:])}, "3 axes", AGAIN),
    ({}, {"outputs": _port("upscaled", dtype="int64")}, "int64", AGAIN),
    ({}, {"inputs": _port("picture", channels=("grey",))}, "1 channels", AGAIN),
    ({}, {"inputs": ()}, "inputs none", AGAIN),
    ({}, {"inputs": (*_port("picture"), *_port("more"))}, "inputs picture, more", AGAIN),
    ({}, {"inputs": _port("picture", axes=(*AXES[:1], *AXES[2:], "channel"))}, "only 3", AGAIN),
    ({"channels": 1}, {}, "3 channels", AGAIN),
    ({"channels": 1}, GREY, "no RGB", AGAIN),
    ({"alignment": 2}, {}, "the graph fails on", "anamorph check"),
    ({}, {"inputs": _port("picture", minimum=0.0, maximum=255.0)}, r"no RGB .*\[0, 1\]", AGAIN),
    ({}, {"inputs": _port("picture", minimum=0.0)}, r"no RGB .*\[0, 1\]", AGAIN),
    ({}, {"inputs": _port("picture", channels=RGB[::-1])}, "no RGB", AGAIN),
    ({}, {"scale": 10**9}, "<= 16 .*scale", "export the model again"),
    ({}, {"size_multiple": 10**12}, "<= 4096 .*size_multiple", "export the model again"),
    ({}, {"minimum_size": 10**7}, "<= 4096 .*minimum_size", "export the model again"),
    ({}, {"alignment": 10**9}, "<= 4096 .*alignment", "export the model again"),
    ({}, {"alignment": 4095, "size_multiple": 4096}, "alignment", "export the model again"),
    ({}, {"context_before": 10**9}, "<= 1000000 .*context_before", "export the model again"),
    ({}, {"context_after": 10**9}, "<= 1000000 .*context_after", "export the model again"),
    ({}, {"latent_width": 10**12}, "<= 1000000 .*latent_width", "export the model again"),
    ({}, {"sample_rate": 10**12}, "<= 768000 .*sample_rate", "export the model again"),
    ({}, {"description": "x\x1b[2J"}, "Control characters .*description", "export the model again"),
]


@pytest.mark.parametrize(("truth", "lie", "reason", "cure"), LIES)
def test_refuses_a_card_that_lies_about_shapes(
    tmp_path: Path, truth: dict[str, Any], lie: dict[str, Any], reason: str, cure: str
) -> None:
    card = replace(upscaler_card(), **lie)
    path = write_with_card(tmp_path / "liar.onnx", upscaler_proto(**truth), card)
    with pytest.raises(ModelFileError, match=reason) as caught:
        _open(path)
    assert_one_line(caught, path, cure)


def test_names_of_the_graph_reach_no_terminal_raw(tmp_path: Path) -> None:
    proto = upscaler_proto()
    proto.graph.input[0].name = proto.graph.node[0].input[0] = "p\x1b[2J\n"
    path = write_with_card(tmp_path / "escapes.onnx", proto)
    with pytest.raises(ModelFileError, match=r"its graph says p\?\[2J\?") as caught:
        _open(path)
    assert_one_line(caught, path, AGAIN)
    path = write_with_card(tmp_path / "operator.onnx", hostile_models.with_operator("X\x1b[2J"))
    with pytest.raises(ModelFileError) as caught:
        _open(path)
    assert str(caught.value).isprintable()


def test_refuses_a_graph_of_one_fixed_size(tmp_path: Path) -> None:
    proto = upscaler_proto()
    proto.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 64
    path = write_with_card(tmp_path / "fixed.onnx", proto)
    with pytest.raises(ModelFileError, match="any height, its graph says only 64") as caught:
        _open(path)
    assert_one_line(caught, path, "export it again")


def test_a_scale_that_only_shows_later_is_refused(tmp_path: Path) -> None:
    card = replace(upscaler_card(), minimum_size=4096)  # too large to be tried at load
    path = write_with_card(tmp_path / "late.onnx", upscaler_proto(scale=3), card)
    session = _open(path)
    with pytest.raises(ModelFileError, match=r"\(1, 3, 15, 15\).*promises \(1, 3, 10, 10\)"):
        session.run(_picture(1, 3, 5, 5))


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (lambda: hostile_models.with_operator("NoSuchOperator"), "NoSuchOperator"),
        (lambda: hostile_models.with_operator("Clip", "com.example"), "com.example"),
        (lambda: hostile_models.with_operator("Relu"), "refuses its graph"),
        (lambda: onnx.ModelProto(ir_version=8, graph=onnx.GraphProto()), "refuses its graph"),
        (lambda: onnx.ModelProto(ir_version=999, graph=upscaler_proto().graph), "refuses"),
    ],
)
def test_refuses_graphs_that_onnx_runtime_refuses(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    build: Callable[[], onnx.ModelProto],
    reason: str,
) -> None:
    path = write_with_card(tmp_path / "odd.onnx", build())
    model = read_model(path)
    for device in ("cpu", "auto"):
        with pytest.raises(ModelFileError, match=reason) as caught:
            open_session(model, device=device)
        assert_one_line(caught, path, "export it again")
    assert capfd.readouterr() == ("", "")


def test_a_graph_that_fails_while_it_runs_is_named(tmp_path: Path) -> None:
    path = tiny_upscaler(tmp_path / "blocks.onnx", alignment=2)
    session = _open(path)
    with pytest.raises(ModelFileError, match="the graph fails on") as caught:
        session.run(_picture(1, 3, 5, 5))
    assert_one_line(caught, path, "anamorph check")


@pytest.mark.parametrize(
    ("task", "cure"), [("upscale", "a smaller tile"), ("convert", "a shorter chunk")]
)
def test_lack_of_memory_asks_for_less(task: Task, cure: str) -> None:
    class Exhausted:
        def get_providers(self) -> list[str]:
            return ["CPUExecutionProvider"]

        def run(self, names: object, inputs: object) -> None:
            raise RuntimeError("Failed to allocate memory for requested buffer of size 9\n")

    card = replace(upscaler_card(), task=task)
    session = Session(card, "big.onnx", session=Exhausted(), device="cpu", threads=1)
    with pytest.raises(InputError, match="not enough memory") as caught:
        session.run(_picture(1, 3, 4, 4))
    assert_one_line(caught, "big.onnx", cure)


def test_names_the_onnx_runtime_that_a_model_needs(tmp_path: Path) -> None:
    model = read_model(tiny_upscaler(tmp_path / "new.onnx", minimum_onnxruntime="99.1"))
    with pytest.raises(UnavailableError, match=r"needs ONNX Runtime 99\.1 or newer") as caught:
        open_session(model)
    assert_one_line(caught, tmp_path / "new.onnx", "pip install --upgrade")
    old = read_model(tiny_upscaler(tmp_path / "old.onnx", minimum_onnxruntime="1.9"))
    open_session(old, device="cpu")


def test_runs_graphs_of_other_tasks_by_name(tmp_path: Path) -> None:
    ports = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", "width"])
        for name in "abcd"
    ]
    nodes = [helper.make_node("Add", ["a", "b"], ["c"]), helper.make_node("Mul", ["a", "b"], ["d"])]
    graph = helper.make_graph(nodes, "two", ports[:2], ports[2:])
    proto = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 18)])
    named = [Port(name=name, meaning="latent", axes=("batch", "latent")) for name in "abcd"]
    card = Card(
        name="two",
        task="generate",
        licence="CC0-1.0",
        inputs=(named[0], named[1]),
        outputs=(named[2], named[3]),
    )
    session = _open(write_with_card(tmp_path / "two.onnx", proto, card))
    a, b = _picture(1, 4), _picture(1, 4)
    results = session.run_named({"a": a, "b": b})
    np.testing.assert_allclose(results["c"], a + b)
    np.testing.assert_allclose(results["d"], a * b)
