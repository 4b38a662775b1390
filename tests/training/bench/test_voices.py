"""What a second of speech costs, measured on a converter that hardly computes."""

import json
from pathlib import Path

import pytest
from tests.runtime.tiny_voices import tiny_converter

from anamorph.cli import main


@pytest.mark.slow
def test_the_command_tells_marginal_time_and_memory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(tiny_converter(tmp_path / "tiny.onnx"))
    options = ["-m", model, "--seconds", "5", "60", "--rounds", "5", "--threads", "1"]
    assert main(["bench", "voices", *options, "--json"]) == 0
    cost = json.loads(capsys.readouterr().out)
    assert 0 < cost["marginal"] < 0.03
    assert 0 < cost["start"] < 10
    assert 50 < cost["peak_mb"] < 600


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--rounds", "2"], "the median needs at least 5"),
        (["--seconds", "9", "3"], "give a shorter and a longer length"),
    ],
)
def test_wrong_use_is_said(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "voices", *options]) == 2
    assert message in capsys.readouterr().err
