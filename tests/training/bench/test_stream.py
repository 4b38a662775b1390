"""What a stream takes, measured on converters that hardly compute."""

import json
from pathlib import Path

import pytest
from tests.runtime.tiny_voices import tiny_converter

from anamorph.cli import main
from anamorph_training.bench import stream


def test_the_command_tells_time_delay_and_memory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(tiny_converter(tmp_path / "tiny.onnx", kernel=31, alignment=8))
    assert (
        main(["bench", "stream", "-m", model, "--seconds", "20", "--threads", "1", "--json"]) == 0
    )
    cost = json.loads(capsys.readouterr().out)
    assert 0 < cost["median"] <= cost["late"] <= cost["greatest"]
    assert cost["delays"]["model"] == pytest.approx(15 / 22.05)
    assert cost["grown_mb"] < 20
    assert main(["bench", "stream", "-m", model, "--seconds", "10"]) == 0
    assert "ms a block of 40 ms (at most 12)" in capsys.readouterr().out


def test_bounds_can_be_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(tiny_converter(tmp_path / "far.onnx", kernel=5001, alignment=8))
    assert main(["bench", "stream", "-m", model, "--seconds", "10"]) == 1
    assert "MISSED" in capsys.readouterr().out
    near = str(tiny_converter(tmp_path / "near.onnx", kernel=31, alignment=8))
    monkeypatch.setattr(stream, "STEP_BOUND", 1e-6)
    assert main(["bench", "stream", "-m", near, "--seconds", "10"]) == 1


def test_wrong_use_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "stream", "-m", "nathalie", "--seconds", "3"]) == 2
    assert "at least 10 are needed" in capsys.readouterr().err
