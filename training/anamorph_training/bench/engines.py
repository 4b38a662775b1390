"""The engines that `anamorph bench` compares; each function prepares one inside ``worker.py``.

Nothing is imported above the functions, so that each process holds its own engine alone.
"""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Run = Callable[[NDArray[Any]], NDArray[Any]]
Prepared = tuple[Run, dict[str, str]]


def picture_to_picture(*, model: str, threads: int, tile: int | None = None) -> Prepared:
    """Prepare the runtime as users call it: uint8 (height, width, 3) in and out."""
    from anamorph.loading import load_upscaler

    upscaler = load_upscaler(model, device="cpu", threads=threads)
    return lambda picture: upscaler.upscale(picture, tile=tile).pixels, {"precision": "float32"}


def tensor_to_tensor(*, model: str, threads: int) -> Prepared:
    """Prepare the runtime's session: float32 (batch, 3, height, width) in and out."""
    from pathlib import Path

    from anamorph.model_file import read_model
    from anamorph.session import open_session

    session = open_session(read_model(Path(model)), device="cpu", threads=threads)
    return session.run, {"precision": "float32"}


def bare(*, model: str, threads: int) -> Prepared:
    """Prepare ONNX Runtime alone, with its own defaults."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def run(batch: NDArray[Any]) -> NDArray[Any]:
        (made,) = session.run(None, {name: batch})
        return np.asarray(made)

    return run, {"precision": "float32"}


def eager(*, recipe: str, config: dict[str, Any], threads: int) -> Prepared:
    """Prepare PyTorch with the network built anew: its speed does not depend on its weights."""
    import torch

    from anamorph_training.networks.repsr import fold_branches
    from anamorph_training.rebuilding import rebuild

    network = rebuild(recipe, config).eval()
    fold_branches(network)  # as export does, to be fair
    torch.set_num_threads(threads)

    def run(batch: NDArray[Any]) -> NDArray[Any]:
        with torch.inference_mode():
            made: NDArray[Any] = network(torch.from_numpy(batch)).numpy()
            return made

    return run, {"precision": "float32"}


def openvino(*, model: str, precision: str | None, threads: int) -> Prepared:
    """Prepare OpenVINO with the same file.

    Args:
        model: Path of the .onnx file.
        precision: ``f32``, or None for what OpenVINO takes of itself on this chip.
        threads: CPU threads.
    """
    # OpenVINO reports every import to its makers; without this package it reports to a stub.
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    from openvino import Core

    core = Core()
    wanted = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
    if precision is not None:
        wanted["INFERENCE_PRECISION_HINT"] = precision
    compiled = core.compile_model(model, "CPU", wanted)
    request = compiled.create_infer_request()
    hint = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
    facts = {
        "precision": {"f32": "float32", "bf16": "bfloat16", "f16": "float16"}.get(hint, hint),
        "threads": str(compiled.get_property("INFERENCE_NUM_THREADS")),
        "chip": ", ".join(core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")),
    }
    return lambda batch: np.array(request.infer([batch], share_outputs=True)[0]), facts
