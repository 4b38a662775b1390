"""An upscaler's speed against a bare ONNX Runtime session and PyTorch, and its peak memory."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from anamorph.card import Card
from anamorph.errors import InputError
from anamorph.loading import load, resolve
from anamorph.model_file import read_model
from anamorph.picture import Picture
from anamorph.session import open_session
from anamorph_training.bench.rounds import Ratio, ratio, time_interleaved
from anamorph_training.rebuilding import rebuild

BARE_BOUND = 1.05
EAGER_BOUND = 1.0

# A process of its own, without PyTorch, that tells its greatest resident memory in kilobytes. Linux
# hands a parent's ru_maxrss down to its children, but counts VmHWM anew for every program.
_REPORT_PEAK = """
import sys
from pathlib import Path
from anamorph.cli import main
code = main(sys.argv[1:])
print(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
sys.exit(code)
"""


@dataclass(frozen=True)
class Cost:
    """What `anamorph upscale` of one picture costs, as a whole process.

    Attributes:
        input_megapixels: Size of the picture.
        output_megapixels: Size of what came out.
        seconds: Wall time.
        seconds_per_output_megapixel: Wall time over the output's size.
        peak_mb: Greatest resident memory of the process, in units of 1e6 bytes.
    """

    input_megapixels: float
    output_megapixels: float
    seconds: float
    seconds_per_output_megapixel: float
    peak_mb: float


def measure_upscaling(model: str, *, side: int, threads: int, rounds: int) -> list[Ratio]:
    """Time one square picture through the runtime, bare ONNX Runtime and PyTorch eager.

    ``tensor to tensor`` is the runtime's session on the very tensor that the others get; ``picture
    to picture`` adds the conversions from and to 8-bit pixels, which the others do not do.

    Args:
        model: Name or path of an upscaler that carries its recipe and configuration.
        side: Height and width of the picture, in pixels.
        threads: CPU threads of each contestant.
        rounds: Interleaved rounds.
    """
    picture = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    batch = picture.transpose(2, 0, 1)[None].astype(np.float32, order="C") / np.float32(255)
    upscaler = load(model, device="cpu", threads=threads)
    session = open_session(read_model(resolve(model)), device="cpu", threads=threads)
    whole, tensor = "picture to picture", "tensor to tensor"
    bare, eager = "bare ONNX Runtime", "PyTorch eager"
    seconds = time_interleaved(
        {
            whole: lambda: upscaler.upscale(picture, tile=side),
            tensor: lambda: session.run(batch),
            bare: _bare_session(model, batch, threads),
            eager: _eager(upscaler.card, batch, threads),
        },
        rounds=rounds,
    )
    return [
        ratio(seconds, tensor, bare, bound=BARE_BOUND),
        ratio(seconds, whole, bare),
        ratio(seconds, whole, eager, bound=EAGER_BOUND),
    ]


def measure_cost(model: str, *, megapixels: float, threads: int) -> Cost:
    """Upscale one picture from the command line and read the process's time and peak memory."""
    side = round((megapixels * 1e6) ** 0.5)
    noise = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "in.png"), Path(folder, "out.png")
        Picture(noise).save(source)
        arguments = [str(source), "-o", str(target), "-m", model, "--device", "cpu"]
        arguments += ["--threads", str(threads)]
        begun = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", _REPORT_PEAK, "upscale", *arguments],
            check=True,
            capture_output=True,
            text=True,
        )
        seconds = time.perf_counter() - begun
    scale = load(model, device="cpu", threads=threads).card.scale
    outputs = side * side * scale * scale / 1e6
    peak = float(done.stdout.split()[-1]) * 1024 / 1e6
    return Cost(side * side / 1e6, outputs, seconds, seconds / outputs, peak)


def _bare_session(model: str, batch: NDArray[np.float32], threads: int) -> Callable[[], object]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    data = read_model(resolve(model)).data
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda: session.run(None, {name: batch})


def _eager(card: Card, batch: NDArray[np.float32], threads: int) -> Callable[[], object]:
    """Build the network anew: its speed does not depend on the values of its weights."""
    if card.provenance is None:
        raise InputError(f"{card.name}: its card names no recipe, so PyTorch cannot be compared")
    network = rebuild(card.provenance.recipe, card.provenance.config).eval()
    torch.set_num_threads(threads)
    tensor = torch.from_numpy(batch)

    def run() -> object:
        with torch.inference_mode():
            return network(tensor)

    return run
