"""A profile is shared out by operator and by node, its first runs left out."""

import json
from pathlib import Path

import pytest
from tests.runtime.tiny_models import tiny_upscaler

from anamorph.cli import main
from anamorph_training.bench.operators import share_out


def event(node: str, operator: str, microseconds: float) -> dict[str, object]:
    told = {"op_name": operator, "output_type_shape": [{"float": [1, 3, 8, 9]}]}
    return {"cat": "Node", "name": f"{node}_kernel_time", "dur": microseconds, "args": told}


def test_shares_are_of_the_mean_after_the_first_run() -> None:
    events = [
        {"cat": "Session", "name": "model_run", "dur": 9e9},
        event("a", "Conv", 90_000),
        event("b", "Conv", 50_000),
        event("c", "Clip", 70_000),
        *(event("a", "Conv", time) for time in (2000, 4000)),
        *(event("b", "Conv", time) for time in (1000, 1000)),
        *(event("c", "Clip", time) for time in (500, 1500)),
    ]
    operators, nodes = share_out(events)
    assert [(one.name, one.nodes, one.milliseconds) for one in operators] == [
        ("Conv", 2, 4.0),
        ("Clip", 1, 1.0),
    ]
    assert [one.share for one in operators] == pytest.approx([0.8, 0.2])
    assert [one.name for one in nodes] == ["a", "b", "c"]
    assert nodes[0].shape == "1 x 3 x 8 x 9"


def test_the_command_names_the_operators_of_a_graph(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(tiny_upscaler(tmp_path / "tiny.onnx"))
    options = ["-m", model, "--side", "16", "--runs", "2", "--threads", "1"]
    assert main(["bench", "operators", *options, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert {"Conv", "DepthToSpace"} <= {one["name"] for one in report["operators"]}
    assert sum(one["share"] for one in report["operators"]) == pytest.approx(1)
    assert len(report["nodes"]) == sum(one["nodes"] for one in report["operators"])
    assert main(["bench", "operators", *options, "--slowest", "1"]) == 0
    assert "slowest nodes" in capsys.readouterr().out
    assert main(["bench", "operators", *options, "--runs", "0"]) == 2
