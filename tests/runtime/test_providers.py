import contextlib
import ctypes
import importlib
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import onnxruntime
import pytest
from tests.runtime.tiny_models import tiny_upscaler

from anamorph import providers
from anamorph.errors import InputError, ModelFileError, UnavailableError
from anamorph.model_file import read_model
from anamorph.session import open_session


@pytest.fixture
def everything(monkeypatch: pytest.MonkeyPatch) -> Any:
    """ONNX Runtime as if it were built with every provider."""
    names = list(providers.PROVIDERS.values())
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: names)
    monkeypatch.setattr(providers, "preload_cuda", lambda _: None)
    return onnxruntime


def _pretend_installed(monkeypatch: pytest.MonkeyPatch, *wheels: str) -> None:
    def version(name: str) -> str:
        if name in wheels:
            return "1.0"
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", version)


def test_refuses_an_unknown_device() -> None:
    with pytest.raises(InputError, match="choose one of auto, cpu, cuda"):
        providers.candidates("gpu", onnxruntime)


def test_auto_always_ends_on_the_cpu() -> None:
    assert providers.candidates("auto", onnxruntime)[-1] == "cpu"


@pytest.mark.parametrize(
    ("device", "wheel"),
    [
        ("cuda", "anamorph[gpu]"),
        ("tensorrt", "anamorph[gpu]"),
        ("coreml", "macOS"),
        ("directml", "onnxruntime-directml"),
        ("openvino", "onnxruntime-openvino"),
    ],
)
def test_an_absent_device_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, device: str, wheel: str
) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    _pretend_installed(monkeypatch, "onnxruntime")
    model = read_model(tiny_upscaler(tmp_path / "tiny.onnx"))
    with pytest.raises(UnavailableError, match="cannot be used") as caught:
        open_session(model, device=device)
    assert wheel in str(caught.value)
    assert "\n" not in str(caught.value)


def test_names_two_wheels_that_overwrite_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    _pretend_installed(monkeypatch, "onnxruntime", "onnxruntime-gpu")
    with pytest.raises(
        UnavailableError, match="onnxruntime and onnxruntime-gpu are both"
    ) as caught:
        providers.candidates("cuda", onnxruntime)
    assert "pip uninstall onnxruntime onnxruntime-gpu" in str(caught.value)


def test_without_onnx_runtime_loading_names_the_extras(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    model = read_model(tiny_upscaler(tmp_path / "tiny.onnx"))
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UnavailableError, match=r"pip install 'anamorph\[cpu\]'.*\[gpu\]"):
        open_session(model)


def test_names_a_broken_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", ModuleType("onnxruntime"))
    with pytest.raises(UnavailableError, match=r"only in part.*pip uninstall"):
        providers.import_onnxruntime()

    def broken(name: str) -> ModuleType:
        raise ImportError("libfoo.so: not found", name="onnxruntime.capi")

    monkeypatch.setattr(importlib, "import_module", broken)
    with pytest.raises(UnavailableError, match=r"cannot be imported \(libfoo"):
        providers.import_onnxruntime()


@pytest.mark.parametrize(
    ("older", "newer"), [("1.9", "1.20"), ("1.20.0", "1.20.1"), ("1.20", "1.21.0.dev3"), ("", "1")]
)
def test_versions_compare_as_numbers(older: str, newer: str) -> None:
    assert providers._numbers(older) < providers._numbers(newer)
    assert providers._numbers("1.20") == providers._numbers("1.20.0")


class _Driver:
    """Stands for the NVIDIA driver's library."""

    def __init__(self, status: int, gpus: int) -> None:
        self.status, self.gpus = status, gpus

    def cuInit(self, flags: int) -> int:  # noqa: N802
        return self.status

    def cuDeviceGetCount(self, count: Any) -> int:  # noqa: N802
        count._obj.value = self.gpus
        return 0


@pytest.mark.parametrize(
    ("driver", "library", "reasons"),
    [
        (None, "libcublasLt.so.13", ["driver's lib", "libcublasLt.so.13", "'anamorph[gpu]'"]),
        (_Driver(0, 1), "libcudnn.so.9", ["libcudnn.so.9"]),
        (_Driver(0, 1), "libnvinfer.so.10", ["libnvinfer.so.10", "pip install tensorrt"]),
        (_Driver(35, 0), "", ["does not start (CUDA error 35"]),
        (_Driver(0, 0), "", ["finds no GPU"]),
        (_Driver(0, 1), "", []),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="names of Linux libraries")
def test_cuda_names_what_is_missing(
    monkeypatch: pytest.MonkeyPatch,
    everything: ModuleType,
    driver: _Driver | None,
    library: str,
    reasons: list[str],
) -> None:
    def load(name: str) -> Any:
        if name == "libcuda.so.1":
            if driver is None:
                raise OSError("libcuda.so.1: cannot open shared object file: No such file")
            return driver
        if library:
            raise OSError(f"{library}: cannot open shared object file: No such file or directory")
        return SimpleNamespace()

    monkeypatch.setattr(ctypes, "CDLL", load)
    for device in ("cuda", "tensorrt"):
        if reasons:
            with pytest.raises(UnavailableError) as caught:
                providers.candidates(device, everything)
            assert all(reason in str(caught.value) for reason in reasons)
        else:
            assert providers.candidates(device, everything) == (device,)
    expected = ("coreml", "directml", "cpu") if reasons else ("cuda", "coreml", "directml", "cpu")
    assert providers.candidates("auto", everything) == expected


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_auto_falls_back_quietly_and_a_named_device_does_not(
    everything: ModuleType, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    model = read_model(tiny_upscaler(tmp_path / "tiny.onnx"))
    assert open_session(model, device="auto").device == "cpu"
    assert capfd.readouterr() == ("", "")
    with pytest.raises(UnavailableError, match="coreml"):
        open_session(model, device="coreml")


def test_a_broken_model_is_not_blamed_on_the_device(
    everything: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = read_model(tiny_upscaler(tmp_path / "tiny.onnx"))

    class Refusing:
        def __init__(self, *args: object, **kwargs: object) -> None:
            raise RuntimeError("bad graph")

    monkeypatch.setattr(onnxruntime, "InferenceSession", Refusing)
    for device in ("coreml", "auto"):
        with pytest.raises(ModelFileError, match="bad graph"):
            open_session(model, device=device)


def test_cuda_options_are_set_on_purpose(tmp_path: Path) -> None:
    chosen = providers.options("cuda", threads=2, cache=tmp_path)
    assert isinstance(chosen[0], tuple)
    assert chosen[0][0] == "CUDAExecutionProvider"
    assert chosen[0][1]["cudnn_conv_algo_search"] == "HEURISTIC"
    assert chosen[0][1]["use_tf32"] == "0"
    assert chosen[-1] == "CPUExecutionProvider"


def test_tensorrt_keeps_its_engines_in_the_cache(tmp_path: Path) -> None:
    chosen = providers.options("tensorrt", threads=2, cache=tmp_path)
    names = [entry[0] if isinstance(entry, tuple) else entry for entry in chosen]
    assert names == [
        "TensorrtExecutionProvider",
        "CUDAExecutionProvider",
        "CPUExecutionProvider",
    ]
    assert isinstance(chosen[0], tuple)
    assert chosen[0][1]["trt_engine_cache_path"] == str(tmp_path / "tensorrt")


def test_preloading_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    module = ModuleType("onnxruntime")
    providers.preload_cuda(module)  # older than 1.21: nothing to call
    module.preload_dlls = lambda: sys.stdout.write("Failed to load")  # type: ignore[attr-defined]
    providers.preload_cuda(module)
    assert capsys.readouterr().out == ""


GPU_SCRIPT = """
import sys
import onnxruntime
from pathlib import Path
from anamorph.errors import UnavailableError
from anamorph.model_file import read_model
from anamorph.session import open_session
import numpy
assert onnxruntime.__file__.startswith(sys.argv[1]), onnxruntime.__file__
assert "CUDAExecutionProvider" in onnxruntime.get_available_providers()
model = read_model(Path(sys.argv[2]))
session = open_session(model, device="auto")
assert session.run(numpy.zeros((1, 3, 4, 4), numpy.float32)).shape == (1, 3, 8, 8)
print(session.device)
try:
    print(open_session(model, device="cuda").device)
except UnavailableError as error:
    print(error)
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(sys.platform != "linux", reason="names of Linux libraries")
def test_the_gpu_wheel_alone_runs_on_the_cpu_and_cuda_says_what_is_missing(
    tmp_path: Path,
) -> None:
    with contextlib.suppress(OSError):
        ctypes.CDLL("libcuda.so.1")
        pytest.skip("this machine has an NVIDIA driver")
    site = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile"]
    done = subprocess.run(
        [*install, "--no-cache-dir", "--target", str(site), "onnxruntime-gpu"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"pip cannot fetch onnxruntime-gpu: {done.stderr.strip()[-200:]}")
    model = tiny_upscaler(tmp_path / "tiny.onnx")
    done = subprocess.run(
        [sys.executable, "-c", GPU_SCRIPT, str(site), str(model)],
        env={"PYTHONPATH": str(site), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    device, message = done.stdout.splitlines()
    assert device == "cpu"
    assert "device 'cuda' cannot be used" in message
    assert "libcuda.so.1 is missing (install the driver)" in message
    assert "a shared library is missing: libcu" in message
    assert "'anamorph[gpu]'" in message
    assert done.stderr == ""
