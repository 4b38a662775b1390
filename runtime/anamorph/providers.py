"""Which ONNX Runtime execution provider runs a model, and why another cannot.

A device that was asked for by name is used or refused, never replaced. ``auto`` takes the best that
really loads and is quiet about the others; it leaves out TensorRT, which compiles for minutes, and
OpenVINO, which is at times slower than the CPU provider.

On CUDA two options are set on purpose:

- ``cudnn_conv_algo_search`` is ``HEURISTIC``: the default ``EXHAUSTIVE`` times every algorithm anew
  for each new input shape, and pictures of a folder and tiles at an edge all differ in shape.
- ``use_tf32`` is 0: TensorFloat-32 keeps 10 bits of mantissa, which breaks the gate's tolerance of
  1e-4.
"""

import contextlib
import ctypes
import importlib
import io
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Literal, get_args

from anamorph.errors import InputError, UnavailableError

Device = Literal["auto", "cpu", "cuda", "tensorrt", "coreml", "directml", "openvino"]
DEVICES: Final[tuple[str, ...]] = get_args(Device)
PROVIDERS: Final = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
}
AUTO_ORDER: Final = ("cuda", "coreml", "directml", "cpu")

_INSTALL: Final = {
    "cpu": "pip install 'anamorph[cpu]'",
    "cuda": "pip uninstall onnxruntime, then pip install 'anamorph[gpu]'",
    "tensorrt": "pip uninstall onnxruntime, then pip install 'anamorph[gpu]' tensorrt",
    "coreml": "pip install 'anamorph[cpu]' on macOS",
    "directml": "pip uninstall onnxruntime, then pip install onnxruntime-directml on Windows",
    "openvino": "pip uninstall onnxruntime, then pip install onnxruntime-openvino",
}
_WHEELS: Final = (
    "onnxruntime",
    "onnxruntime-gpu",
    "onnxruntime-directml",
    "onnxruntime-openvino",
)
_OPTIONS: Final[dict[str, dict[str, str]]] = {
    "cuda": {
        "cudnn_conv_algo_search": "HEURISTIC",
        "use_tf32": "0",
        # Double the arena's size and a long run keeps up to twice its peak.
        "arena_extend_strategy": "kSameAsRequested",
    },
    # NEURALNETWORK, the default, computes in float16 wherever it can.
    "coreml": {"ModelFormat": "MLProgram"},
    # The CPU, since to name a GPU that is absent fails; ACCURACY keeps to the model's float32.
    "openvino": {"device_type": "CPU", "precision": "ACCURACY"},
}


def import_onnxruntime(minimum: str = "", *, origin: str = "this model") -> ModuleType:
    """Import ONNX Runtime.

    Args:
        minimum: Oldest version that will do, such as ``1.20``; any if empty.
        origin: What needs that version, for messages.

    Raises:
        UnavailableError: It is not installed, broken or too old.
    """
    try:
        module = importlib.import_module("onnxruntime")
    except ImportError as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "onnxruntime":
            raise UnavailableError(
                "ONNX Runtime is not installed; run: pip install 'anamorph[cpu]' "
                "(or 'anamorph[gpu]' for NVIDIA GPUs)"
            ) from None
        raise UnavailableError(
            f"ONNX Runtime cannot be imported ({error}); {_reinstall()}"
        ) from None
    if not hasattr(module, "InferenceSession"):
        # Uninstalling one of two wheels takes files of the other along.
        raise UnavailableError(f"ONNX Runtime is installed only in part; {_reinstall()}")
    if minimum and _numbers(module.__version__) < _numbers(minimum):
        raise UnavailableError(
            f"{origin}: needs ONNX Runtime {minimum} or newer, {module.__version__} is installed; "
            f"run: pip install --upgrade {(_installed_wheels() or ['onnxruntime'])[0]}"
        )
    return module


def candidates(device: str, onnxruntime: ModuleType) -> tuple[str, ...]:
    """Return the devices to try in order for what the user asked for.

    Args:
        device: One of ``DEVICES``.
        onnxruntime: The imported package.

    Raises:
        InputError: There is no device of this name.
        UnavailableError: The device was named and cannot be used here.
    """
    if device not in DEVICES:
        raise InputError(f"device {device!r}: choose one of {', '.join(DEVICES)}")
    if device == "auto":
        return tuple(name for name in AUTO_ORDER if not what_is_missing(name, onnxruntime))
    if missing := what_is_missing(device, onnxruntime):
        raise UnavailableError(f"device {device!r} cannot be used: {missing}")
    return (device,)


def what_is_missing(device: str, onnxruntime: ModuleType) -> str:
    """Return what keeps a device from being used and how to get it, or nothing."""
    if PROVIDERS[device] not in onnxruntime.get_available_providers():
        wheels = _installed_wheels()
        if len(wheels) > 1:
            return (
                f"{' and '.join(wheels)} are both installed and overwrite each other; run: "
                f"pip uninstall {' '.join(wheels)}, then {_INSTALL[device].split('then ')[-1]}"
            )
        name = wheels[0] if wheels else "onnxruntime"
        return (
            f"{name} {onnxruntime.__version__} has no {PROVIDERS[device]}; run: {_INSTALL[device]}"
        )
    if device in ("cuda", "tensorrt"):
        preload_cuda(onnxruntime)
        lacks = [*_missing_driver(), *_missing_library(device, onnxruntime)]
        if lacks:
            return "; ".join(lacks)
    return ""


def options(device: str, *, threads: int, cache: Path) -> list[str | tuple[str, dict[str, Any]]]:
    """Return ONNX Runtime's ``providers`` argument for a device.

    Args:
        device: One of ``DEVICES`` but ``auto``.
        threads: Threads for what runs on the CPU.
        cache: Folder for compiled engines.
    """
    chosen: list[str | tuple[str, dict[str, Any]]] = []
    if device == "tensorrt":
        engines = {"trt_engine_cache_enable": "1", "trt_engine_cache_path": str(cache / "tensorrt")}
        chosen.append((PROVIDERS["tensorrt"], engines))
        chosen.append((PROVIDERS["cuda"], _OPTIONS["cuda"]))
    elif device == "openvino":
        chosen.append((PROVIDERS[device], {**_OPTIONS[device], "num_of_threads": str(threads)}))
    elif device in _OPTIONS:
        chosen.append((PROVIDERS[device], _OPTIONS[device]))
    elif device != "cpu":
        chosen.append(PROVIDERS[device])
    return [*chosen, PROVIDERS["cpu"]]


def preload_cuda(onnxruntime: ModuleType) -> None:
    """Load the CUDA libraries that pip installed, so that ONNX Runtime finds them."""
    preload = getattr(onnxruntime, "preload_dlls", None)  # since 1.21
    if preload is None:
        return
    with contextlib.redirect_stdout(io.StringIO()):  # it prints what it cannot find
        preload()


@contextlib.contextmanager
def quiet(onnxruntime: ModuleType) -> Iterator[None]:
    """Keep ONNX Runtime's own log off stderr while a provider is only tried."""
    onnxruntime.set_default_logger_severity(4)
    try:
        yield
    finally:
        onnxruntime.set_default_logger_severity(2)  # its default: warnings


def _missing_driver() -> list[str]:
    name = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    count = ctypes.c_int(0)
    try:
        driver = ctypes.CDLL(name)
        status = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    except (OSError, AttributeError):
        return [f"the NVIDIA driver's {name} is missing (install the driver)"]
    if status:
        return [f"the NVIDIA driver does not start (CUDA error {status}; run: nvidia-smi)"]
    return [] if count.value else ["the NVIDIA driver finds no GPU (run: nvidia-smi)"]


def _missing_library(device: str, onnxruntime: ModuleType) -> list[str]:
    """Try to load the provider's library: the loader names what it lacks."""
    folder = Path(onnxruntime.__file__ or "").parent / "capi"
    name = f"onnxruntime_providers_{device}"
    library = folder / (f"{name}.dll" if sys.platform == "win32" else f"lib{name}.so")
    try:
        ctypes.CDLL(str(library))
    except OSError as error:
        lacks = str(error).split(": cannot open")[0].replace(str(library), library.name)
        package = "tensorrt" if "nvinfer" in lacks or "nvonnx" in lacks else "'anamorph[gpu]'"
        return [f"a shared library is missing: {lacks} (run: pip install {package})"]
    return []


def _installed_wheels() -> list[str]:
    installed = []
    for wheel in _WHEELS:
        with contextlib.suppress(metadata.PackageNotFoundError):
            metadata.version(wheel)
            installed.append(wheel)
    return installed


def _reinstall() -> str:
    wheels = _installed_wheels() or ["onnxruntime"]
    return f"run: pip uninstall -y {' '.join(wheels)}, then pip install 'anamorph[cpu]'"


def _numbers(version: str) -> tuple[int, ...]:
    """Return the leading numbers of a version, such as (1, 20, 1) of 1.20.1.dev3."""
    numbers = []
    for part in version.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)
