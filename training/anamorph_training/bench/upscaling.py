"""An upscaler's speed and memory against bare ONNX Runtime, PyTorch and OpenVINO."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Final

import numpy as np

from anamorph.card import Card
from anamorph.errors import InputError
from anamorph.loading import resolve
from anamorph.model_file import read_card
from anamorph_training.bench.contestants import Contestant, Engine
from anamorph_training.bench.rounds import Ratio, ratio, time_interleaved

BARE_BOUND: Final = 1.05
EAGER_BOUND: Final = 1.0

WHOLE: Final = "picture to picture"
TENSOR: Final = "tensor to tensor"
BARE: Final = "bare ONNX Runtime"
EAGER: Final = "PyTorch eager"
OPENVINO: Final = "OpenVINO"
OPENVINO_F32: Final = "OpenVINO in float32"


@dataclass(frozen=True)
class EngineCost:
    """What one engine takes for the same picture, in a process of its own.

    Attributes:
        name: Name of the engine.
        precision: Type that it computes in, as it says itself.
        seconds: Median time.
        seconds_per_output_megapixel: Median time over the output's size.
        peak_mb: Greatest resident memory of its process, in units of 1e6 bytes.
        ready_mb: Of that, resident before the first run: its libraries and the model.
        difference: Greatest difference of its output from bare ONNX Runtime's, of [0, 1]; None
            where the weights are not the same.
    """

    name: str
    precision: str
    seconds: float
    seconds_per_output_megapixel: float
    peak_mb: float
    ready_mb: float
    difference: float | None


def openvino_is_there() -> bool:
    """Tell whether OpenVINO is installed, without importing it."""
    try:
        return find_spec("openvino") is not None
    except (ModuleNotFoundError, ValueError):
        return False


def measure_upscaling(
    model: str, *, side: int, threads: int, rounds: int
) -> tuple[list[Ratio], list[EngineCost]]:
    """Time and weigh one square picture through the runtime and what it is compared with.

    ``tensor to tensor`` is the runtime's session on the very tensor that the others get; ``picture
    to picture`` adds the conversions from and to 8-bit pixels, which the others do not do. Each
    engine runs in a process of its own, and they take turns. OpenVINO takes part where it is
    installed: as it comes, which computes in bfloat16 on chips that have it, and in float32.

    Args:
        model: Name or path of an upscaler that carries its recipe and configuration.
        side: Height and width of the picture, in pixels.
        threads: CPU threads of each contestant.
        rounds: Interleaved rounds.

    Raises:
        InputError: The model's card names no recipe.
        UnavailableError: An engine does not run.
    """
    path = resolve(model)
    card = read_card(path)
    engines = _engines(str(path.resolve()), card, side=side, threads=threads)
    picture = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    batch = picture.transpose(2, 0, 1)[None].astype(np.float32, order="C") / np.float32(255)
    with ExitStack() as stack:
        started = {one.name: stack.enter_context(Contestant(one)) for one in engines}
        for name, contestant in started.items():
            contestant.give(picture if name == WHOLE else batch)
        seconds = time_interleaved({name: one.run for name, one in started.items()}, rounds=rounds)
        outputs = (side * card.scale) ** 2 / 1e6
        return _ratios(seconds), _costs(started, seconds, outputs)


def _engines(model: str, card: Card, *, side: int, threads: int) -> list[Engine]:
    made = card.provenance
    if made is None:
        raise InputError(
            f"{card.name}: its card names no recipe, so PyTorch cannot be compared; export it from "
            "its run"
        )
    file = {"model": model}
    network = {"recipe": made.recipe, "config": made.config}
    engines = [
        Engine(WHOLE, "engines.py:picture_to_picture", file | {"tile": side}, threads),
        Engine(TENSOR, "engines.py:tensor_to_tensor", file, threads),
        Engine(BARE, "engines.py:bare", file, threads),
        Engine(EAGER, "engines.py:eager", network, threads),
    ]
    if openvino_is_there():
        cure = "install it again: pip install --force-reinstall openvino"
        engines += [
            Engine(
                name,
                "engines.py:openvino",
                file | {"precision": precision},
                threads,
                cure=cure,
            )
            for name, precision in ((OPENVINO, None), (OPENVINO_F32, "f32"))
        ]
    return engines


def _ratios(seconds: Mapping[str, list[float]]) -> list[Ratio]:
    ratios = [
        ratio(seconds, TENSOR, BARE, bound=BARE_BOUND),
        ratio(seconds, WHOLE, BARE),
        ratio(seconds, WHOLE, EAGER, bound=EAGER_BOUND),
    ]
    return ratios + [
        ratio(seconds, TENSOR, name) for name in (OPENVINO, OPENVINO_F32) if name in seconds
    ]


def _costs(
    started: Mapping[str, Contestant], seconds: Mapping[str, list[float]], outputs: float
) -> list[EngineCost]:
    # Read before any result is fetched, which takes memory of its own.
    peaks = {name: one.peak_mb for name, one in started.items()}
    expected = started[BARE].result()
    costs = []
    for name, one in started.items():
        difference = None
        if name in (TENSOR, OPENVINO, OPENVINO_F32):
            difference = float(np.abs(one.result() - expected).max())
        median = float(np.median(seconds[name]))
        costs.append(
            EngineCost(
                name=name,
                precision=str(one.facts["precision"]),
                seconds=median,
                seconds_per_output_megapixel=median / outputs,
                peak_mb=peaks[name],
                ready_mb=one.ready_mb,
                difference=difference,
            )
        )
    return costs
