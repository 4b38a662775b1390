"""The benchmark compares round by round and reports what it measured."""

import json
import sys
import time
from pathlib import Path

import pytest
from tests.runtime.tiny_models import tiny_upscaler

from anamorph.card import Provenance
from anamorph.cli import main
from anamorph_training.bench import command
from anamorph_training.bench.cost import Cost
from anamorph_training.bench.rounds import Ratio, ratio, time_interleaved
from anamorph_training.bench.upscaling import OPENVINO, OPENVINO_F32, openvino_is_there


def test_contestants_alternate_and_the_first_round_is_not_counted() -> None:
    order: list[str] = []
    seconds = time_interleaved(
        {"a": lambda: order.append("a"), "b": lambda: order.append("b")}, rounds=3
    )
    assert order == ["b", "a", "a", "b", "b", "a", "a", "b"]
    assert {name: len(times) for name, times in seconds.items()} == {"a": 3, "b": 3}


def test_a_contestant_twice_as_slow_has_a_ratio_of_two() -> None:
    seconds = time_interleaved(
        {"slow": lambda: time.sleep(0.1), "fast": lambda: time.sleep(0.05)}, rounds=3
    )
    measured = ratio(seconds, "slow", "fast", bound=1.5)
    assert 1.8 < measured.median < 2.2
    assert not measured.holds


def test_the_median_ratio_is_of_rounds_and_not_of_medians() -> None:
    seconds = {"a": [1.0, 2.0, 30.0], "b": [1.0, 4.0, 10.0]}
    measured = ratio(seconds, "a", "b", bound=1.0)
    assert (measured.least, measured.median, measured.greatest) == (0.5, 1.0, 3.0)
    assert measured.holds


@pytest.mark.parametrize("options", [["--rounds", "4"], ["--side", "0"], ["--megapixels", "0"]])
def test_numbers_without_sense_are_refused(
    options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", *options]) == 2
    assert options[0] in capsys.readouterr().err


@pytest.mark.parametrize(("median", "code"), [(1.0, 0), (1.1, 1)])
def test_a_missed_bound_decides_the_exit_code_with_openvino_or_without(
    median: float,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    measured = Ratio("ours", "theirs", median, median, median, 1.05, 1.0, 1.0, 5)
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.setattr(command, "measure_upscaling", lambda *_, **__: ([measured], []))
    monkeypatch.setattr(command, "measure_startup", lambda **_: [])
    monkeypatch.setattr(command, "measure_cost", lambda *_, **__: Cost(1, 4, 2, 0.5, 100))
    assert main(["bench", "--threads", "1"]) == code
    captured = capsys.readouterr()
    assert captured.err == command.ABSENT + "\n"
    assert ("MISSED" in captured.out) == bool(code)


@pytest.mark.slow
def test_the_command_reports_ratios_and_costs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config: dict[str, object] = {
        "channels": 8,
        "blocks": 1,
        "head_kernel": 3,
        "tail_kernel": 3,
        "scale": 2,
    }
    config |= {"upsampling": "direct", "batch_norm": False}
    made = Provenance(recipe="srresnet", config=config, seed=1, steps=1)
    model = tiny_upscaler(tmp_path / "tiny.onnx", provenance=made)
    options = ["-m", str(model), "--side", "32", "--rounds", "5", "--megapixels", "0.01"]
    assert main(["bench", *options, "--threads", "1", "--json"]) in (0, 1)
    report = json.loads(capsys.readouterr().out)
    rivals = [OPENVINO, OPENVINO_F32] if openvino_is_there() else []
    assert [one["reference"] for one in report["ratios"]] == [
        "bare ONNX Runtime",
        "bare ONNX Runtime",
        "PyTorch eager",
        *rivals,
        "import numpy",
        "import numpy, onnxruntime",
    ]
    assert all(one["rounds"] == 5 and one["median"] > 0 for one in report["ratios"])
    engines = {one["name"]: one for one in report["engines"]}
    assert list(engines) == [
        "picture to picture",
        "tensor to tensor",
        "bare ONNX Runtime",
        "PyTorch eager",
        *rivals,
    ]
    assert all(0 < one["ready_mb"] <= one["peak_mb"] < 1000 for one in engines.values())
    assert all(one["seconds_per_output_megapixel"] > 0 for one in engines.values())
    assert engines["tensor to tensor"]["difference"] < 1e-6
    if rivals:
        assert engines[OPENVINO_F32]["precision"] == "float32"
        assert engines[OPENVINO_F32]["difference"] < 1e-4
        assert engines[OPENVINO]["precision"] in ("float32", "bfloat16", "float16")
    (cost,) = report["costs"]
    assert cost["output_megapixels"] == pytest.approx(0.04)
    assert 20 < cost["peak_mb"] < 500
