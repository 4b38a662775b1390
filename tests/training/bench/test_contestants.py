"""Contestants run in processes of their own, do as they are told, and say why they end."""

import sys
from pathlib import Path

import numpy as np
import pytest
from tests.runtime.tiny_models import tiny_upscaler

from anamorph.errors import UnavailableError
from anamorph_training.bench.contestants import Contestant, Engine
from anamorph_training.bench.upscaling import openvino_is_there

ENGINES = """
import os
import numpy as np

def doubling(*, threads):
    print("what a library says")
    return lambda given: given * 2, {"threads": threads, "omp": os.environ["OMP_NUM_THREADS"]}

def greedy(*, megabytes, threads):
    return lambda given: np.ones(megabytes * 125_000), {}

def dying(*, threads):
    def run(given):
        raise RuntimeError("the library gave up")
    return run, {}

def missing(*, threads):
    import nosuchlibrary
"""


def engine(folder: Path, function: str, **options: object) -> Engine:
    file = folder / "stand_ins.py"
    file.write_text(ENGINES)
    return Engine("stand-in", f"{file}:{function}", options, threads=3, cure="mend it")


def test_a_contestant_works_on_what_it_is_given(tmp_path: Path) -> None:
    given = np.arange(6, dtype=np.float32).reshape(2, 3)
    with Contestant(engine(tmp_path, "doubling")) as contestant:
        contestant.give(given)
        contestant.run()
        made = contestant.result()
        assert contestant.facts == {"threads": 3, "omp": "3"}
    np.testing.assert_array_equal(made, given * 2)
    assert made.dtype == np.float32


def test_the_peak_counts_what_a_run_takes_and_not_the_parent(tmp_path: Path) -> None:
    ours = np.ones(40_000_000)  # 320 MB here must not show there
    with Contestant(engine(tmp_path, "greedy", megabytes=100)) as contestant:
        contestant.give(np.zeros(1))
        assert contestant.peak_mb < 100
        contestant.run()
        assert 100 < contestant.peak_mb - contestant.ready_mb < 120
    assert ours.sum() > 0


def test_an_engine_that_does_not_start_says_why_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=r"stand-in.*'nosuchlibrary'.*; mend it"):
        Contestant(engine(tmp_path, "missing"))


def test_an_engine_that_fails_says_why(tmp_path: Path) -> None:
    with Contestant(engine(tmp_path, "dying")) as contestant:
        contestant.give(np.zeros(1))
        with pytest.raises(UnavailableError, match="the library gave up"):
            contestant.run()


def test_an_engine_that_was_killed_is_named_and_leaves_no_files(tmp_path: Path) -> None:
    with Contestant(engine(tmp_path, "doubling")) as contestant:
        folder = Path(contestant._folder.name)
        contestant._process.kill()
        contestant._process.wait()
        with pytest.raises(UnavailableError, match="stand-in"):
            contestant.run()
    assert not folder.exists()


def test_a_python_that_is_not_there_is_named(tmp_path: Path) -> None:
    absent = Engine("stand-in", "any.py:any", python=tmp_path / "python", cure="make it")
    with pytest.raises(UnavailableError, match=r"python cannot be started \(No such .*; make it"):
        Contestant(absent)


@pytest.mark.parametrize("function", ["tensor_to_tensor", "bare"])
def test_engines_of_one_file_agree(tmp_path: Path, function: str) -> None:
    model = str(tiny_upscaler(tmp_path / "tiny.onnx"))
    batch = np.random.default_rng(1).random((1, 3, 8, 9), dtype=np.float32)
    with Contestant(Engine(function, f"engines.py:{function}", {"model": model})) as contestant:
        contestant.give(batch)
        contestant.run()
        made = contestant.result()
    assert made.shape == (1, 3, 16, 18)
    import onnxruntime

    (expected,) = onnxruntime.InferenceSession(model).run(None, {"picture": batch})
    np.testing.assert_allclose(made, expected, atol=1e-6)


def test_openvino_runs_the_same_file_and_tells_its_precision(tmp_path: Path) -> None:
    if not openvino_is_there():
        pytest.skip("needs the extra bench")
    model = str(tiny_upscaler(tmp_path / "tiny.onnx"))
    batch = np.random.default_rng(1).random((1, 3, 8, 9), dtype=np.float32)
    options = {"model": model, "precision": "f32"}
    with Contestant(Engine("OpenVINO", "engines.py:openvino", options)) as contestant:
        contestant.give(batch)
        contestant.run()
        made = contestant.result()
        assert contestant.facts["precision"] == "float32"
        assert contestant.facts["threads"] == "1"
    import onnxruntime

    (expected,) = onnxruntime.InferenceSession(model).run(None, {"picture": batch})
    np.testing.assert_allclose(made, expected, atol=1e-5)


def test_openvino_that_is_absent_is_seen_without_an_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    assert not openvino_is_there()
