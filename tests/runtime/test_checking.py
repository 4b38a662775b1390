from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from msgspec.structs import replace
from onnx import TensorProto, helper, numpy_helper
from tests.runtime.hostile_models import write_with_card
from tests.runtime.tiny_models import tiny_upscaler, upscaler_card, upscaler_proto

from anamorph import checking
from anamorph.card import Gate
from anamorph.checking import Report, check
from anamorph.errors import InputError, ModelNotFoundError, UnavailableError
from anamorph.model_file import read_model
from anamorph.session import open_session

NAMES = [
    "schema",
    "digest",
    "graph",
    "shapes",
    "finite",
    "range",
    "batches",
    "determinism",
    "context",
    "tiles",
    "gate",
]


def _failed(report: Report) -> list[str]:
    return [finding.name for finding in report.findings if not finding.ok]


def _detail(report: Report, name: str) -> str:
    return next(finding.detail for finding in report.findings if finding.name == name)


def _with_nodes(*nodes: onnx.NodeProto, **constants: Any) -> onnx.ModelProto:
    """Return an upscaler with nodes between its Clip, now named ``clipped``, and its output."""
    proto = upscaler_proto()
    proto.graph.node[-1].output[0] = "clipped"
    proto.graph.node.extend(nodes)
    for name, value in constants.items():
        proto.graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
    return proto


@pytest.mark.parametrize(
    "truth",
    [{}, {"scale": 3, "kernel": 3}, {"alignment": 2}, {"alignment": 4, "kernel": 3, "scale": 1}],
)
def test_a_true_card_passes(tmp_path: Path, truth: dict[str, Any]) -> None:
    gate = Gate(
        shapes=((1, 3, 8, 8),),
        greatest_error=1e-6,
        tolerance=1e-4,
        onnxruntime="1.32.0",
        pytorch="2.13.0",
    )
    report = check(tiny_upscaler(tmp_path / "tiny.onnx", **truth, gate=gate))
    assert report.ok, report.findings
    assert [finding.name for finding in report.findings] == NAMES
    assert {finding.status for finding in report.findings} == {"ok"}
    assert report.card is not None
    assert "PyTorch 2.13.0" in _detail(report, "gate")


def test_a_missing_gate_is_noted(tmp_path: Path) -> None:
    report = check(str(tiny_upscaler(tmp_path / "tiny.onnx")))
    assert report.ok
    assert report.findings[-1].status == "note"
    assert "none recorded" in _detail(report, "gate")


def test_an_unbounded_model_is_not_probed(tmp_path: Path) -> None:
    report = check(tiny_upscaler(tmp_path / "tiny.onnx", unbounded=True))
    assert report.ok
    assert "unbounded" in _detail(report, "context")


@pytest.mark.parametrize("lie", [{"context_before": 1}, {"context_after": 0}])
def test_a_context_that_is_too_small_fails(tmp_path: Path, lie: dict[str, Any]) -> None:
    report = check(tiny_upscaler(tmp_path / "tiny.onnx", **lie))
    assert _failed(report) == ["context", "tiles"]
    assert "2 before and 2 after observed" in _detail(report, "context")


def test_a_bounded_card_on_an_unbounded_model_fails(tmp_path: Path) -> None:
    card = replace(upscaler_card(), context_before=5, context_after=5)
    report = check(write_with_card(tmp_path / "m.onnx", upscaler_proto(unbounded=True), card))
    assert "context" in _failed(report)


def test_a_looser_context_is_noted(tmp_path: Path) -> None:
    report = check(tiny_upscaler(tmp_path / "tiny.onnx", context_after=9))
    assert report.ok
    assert "asks for more than was seen" in _detail(report, "context")


def test_a_false_alignment_fails(tmp_path: Path) -> None:
    proto = upscaler_proto(scale=1, kernel=1, alignment=2)
    truth = upscaler_card(scale=1, kernel=1, alignment=2)
    assert check(write_with_card(tmp_path / "true.onnx", proto, truth)).ok
    # Tiles at multiples of three start within a block of two.
    card = replace(truth, alignment=3, size_multiple=1, minimum_size=2)
    report = check(write_with_card(tmp_path / "false.onnx", proto, card))
    assert not report.ok


def test_other_contents_fail_the_digest(tmp_path: Path) -> None:
    path = tiny_upscaler(tmp_path / "tiny.onnx")
    proto = onnx.load(path)
    proto.producer_name = "somebody else"
    path.write_bytes(proto.SerializeToString())
    report = check(path)
    assert _failed(report) == ["digest"]
    assert [finding.name for finding in report.findings] == ["schema", "digest", "gate"]


def test_a_file_without_card_fails_the_schema(tmp_path: Path) -> None:
    path = tmp_path / "bare.onnx"
    path.write_bytes(upscaler_proto().SerializeToString())
    report = check(path)
    assert _failed(report) == ["schema"]
    assert report.card is None
    assert "anamorph export" in _detail(report, "schema")


def test_a_card_that_lies_about_the_graph_fails(tmp_path: Path) -> None:
    report = check(tiny_upscaler(tmp_path / "liar.onnx", channels=1))
    assert _failed(report) == ["graph"]


def test_outputs_that_are_not_finite_fail(tmp_path: Path) -> None:
    log = helper.make_node("Log", ["clipped"], ["upscaled"])
    report = check(write_with_card(tmp_path / "m.onnx", _with_nodes(log)))
    assert _failed(report) == ["finite"]


def test_outputs_beyond_the_range_fail(tmp_path: Path) -> None:
    mul = helper.make_node("Mul", ["clipped", "gain"], ["upscaled"])
    report = check(write_with_card(tmp_path / "m.onnx", _with_nodes(mul, gain=np.float32(255))))
    assert _failed(report) == ["range"]
    assert "to 255" in _detail(report, "range")


def test_noise_fails_determinism(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("RandomUniformLike", ["clipped"], ["noise"], dtype=TensorProto.FLOAT),
        helper.make_node("Mul", ["clipped", "noise"], ["upscaled"]),
    ]
    report = check(write_with_card(tmp_path / "m.onnx", _with_nodes(*nodes)))
    assert "determinism" in _failed(report)


def test_statistics_over_the_batch_fail(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("ReduceMean", ["clipped", "batch_axis"], ["mean"], keepdims=1),
        helper.make_node("Mul", ["clipped", "mean"], ["upscaled"]),
    ]
    proto = _with_nodes(*nodes, batch_axis=np.array([0], np.int64))
    assert "batches" in _failed(check(write_with_card(tmp_path / "m.onnx", proto)))


def test_shapes_that_fail_only_when_odd_are_found(tmp_path: Path) -> None:
    proto = upscaler_proto(alignment=2)
    card = replace(upscaler_card(alignment=2), size_multiple=1, minimum_size=2)
    assert "run" in _failed(check(write_with_card(tmp_path / "m.onnx", proto, card)))


@pytest.mark.parametrize(
    ("lie", "failed"),
    [
        ({"minimum_size": 4096}, ["shapes"]),
        ({"size_multiple": 4096}, ["shapes"]),
        ({"alignment": 4096, "context_before": 4096}, ["context", "tiles"]),
        ({"context_before": 1_000_000}, ["context", "tiles"]),
    ],
)
def test_what_cannot_be_tried_fails(tmp_path: Path, lie: dict[str, Any], failed: list[str]) -> None:
    card = replace(upscaler_card(), **lie)
    report = check(write_with_card(tmp_path / "m.onnx", upscaler_proto(), card))
    assert _failed(report) == failed
    for name in failed:
        assert "not tried" in _detail(report, name) or "not probed" in _detail(report, name)


def test_a_false_scale_of_pictures_that_cannot_be_tried_fails(tmp_path: Path) -> None:
    assert not check(tiny_upscaler(tmp_path / "m.onnx", minimum_size=1024)).ok
    card = replace(upscaler_card(), scale=16, minimum_size=513)  # not tried at load
    report = check(write_with_card(tmp_path / "n.onnx", upscaler_proto(), card))
    assert _failed(report) == ["shapes"]


@pytest.mark.parametrize("lie", [{"scale": 10**9}, {"size_multiple": 10**12}])
def test_a_card_out_of_bounds_fails_the_schema(tmp_path: Path, lie: dict[str, Any]) -> None:
    card = replace(upscaler_card(), **lie)
    report = check(write_with_card(tmp_path / "m.onnx", upscaler_proto(), card))
    assert _failed(report) == ["schema"]


def test_wide_multiples_are_tried_in_shorter_steps(tmp_path: Path) -> None:
    card = replace(upscaler_card(scale=1, kernel=3), size_multiple=64, minimum_size=64)
    path = write_with_card(tmp_path / "m.onnx", upscaler_proto(scale=1, kernel=3), card)
    report = check(path)
    assert report.ok, report.findings
    assert "256 x 128" in _detail(report, "shapes")


@pytest.mark.parametrize("error", [MemoryError(), InputError("not enough memory for 9 pixels")])
def test_lack_of_memory_fails_instead_of_raising(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def exhausted(*args: object, **kwargs: object) -> None:
        raise error

    monkeypatch.setattr(checking, "probe_context", exhausted)
    report = check(tiny_upscaler(tmp_path / "m.onnx"))
    assert _failed(report) == ["run"]
    assert "not enough memory" in _detail(report, "run")


def test_a_cpu_that_cannot_probe_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = read_model(tiny_upscaler(tmp_path / "m.onnx"))
    session = open_session(model, device="cpu")
    session.device = "cuda"

    def absent(*args: object, **kwargs: object) -> None:
        raise UnavailableError("no CPU")

    monkeypatch.setattr(checking, "open_session", absent)
    last = list(checking._run_findings(model, session))[-1]
    assert (last.name, last.status) == ("context", "failed")


@pytest.mark.parametrize(
    ("limits", "ok"),
    [((None, None), True), ((0.0, None), True), ((0.5, None), False), ((None, 0.5), False)],
)
def test_a_range_may_be_open_on_a_side(limits: tuple[float | None, float | None], ok: bool) -> None:
    card = upscaler_card()
    port = replace(card.outputs[0], minimum=limits[0], maximum=limits[1])
    outputs = {(1, 2): np.array([0.1, 0.9], np.float32)}
    assert checking._range(replace(card, outputs=(port,)), outputs).ok is ok


def test_a_missing_file_or_device_is_an_error_not_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelNotFoundError):
        check(tmp_path / "none.onnx")
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(UnavailableError):
        check(tiny_upscaler(tmp_path / "m.onnx"), device="cuda")


def test_other_tasks_are_checked_as_far_as_is_known(tmp_path: Path) -> None:
    report = check(tiny_upscaler(tmp_path / "m.onnx", task="translate"))
    names = [finding.name for finding in report.findings]
    assert names == ["schema", "digest", "graph", "run", "gate"]
    assert _failed(report) == ["run"]
    assert "not tried" in _detail(report, "run")


def test_a_gate_beyond_its_own_tolerance_fails(tmp_path: Path) -> None:
    gate = Gate(shapes=(), greatest_error=1e-2, tolerance=1e-4, onnxruntime="1", pytorch="2")
    assert _failed(check(tiny_upscaler(tmp_path / "m.onnx", gate=gate))) == ["gate"]
    assert checking.TOLERANCE == 1e-4
