"""`anamorph bench`: speed, memory and start-up as ratios in one run."""

import sys
from dataclasses import asdict
from importlib.metadata import version
from importlib.util import find_spec
from typing import Annotated, Any, Final

import msgspec
from cyclopts import App, Parameter

from anamorph.errors import UsageError
from anamorph.threads import check_threads, default_threads
from anamorph_training.bench.cost import Cost, measure_cost
from anamorph_training.bench.rounds import LEAST_ROUNDS, Ratio
from anamorph_training.bench.startup import measure_startup
from anamorph_training.bench.upscaling import EngineCost, measure_upscaling, openvino_is_there

ABSENT: Final = "OpenVINO is not installed, so it is left out: pip install 'anamorph[bench]'"

bench = App(name="bench", help_format="plaintext")
bench.command(
    "anamorph_training.bench.peers:peers",
    name="peers",
    help="Against waifu2x: time, memory and PSNR; exits with 1 where a bound is missed.",
)
bench.command(
    "anamorph_training.bench.curve:curve",
    name="curve",
    help="Time and memory against the picture's size, drawn.",
)
bench.command(
    "anamorph_training.bench.operators:operators",
    name="operators",
    help="ONNX Runtime's share of time per operator.",
)
bench.command(
    "anamorph_training.bench.voices:voices",
    name="voices",
    help="Time per second of speech of `anamorph convert`; exits with 1 where a bound is missed.",
)
bench.command(
    "anamorph_training.bench.stream:stream",
    name="stream",
    help="Time and delay of live conversion; exits with 1 where a bound is missed.",
)


@bench.default
def ratios(
    *,
    model: Annotated[str, Parameter(alias="-m")] = "photo-x4",
    side: int = 256,
    threads: int | None = None,
    rounds: int = 7,
    megapixels: tuple[float, ...] = (0.25, 1.0, 4.0),
    json: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Measure speed, memory and start-up as ratios in one run.

    Against bare ONNX Runtime, PyTorch eager and OpenVINO with the same file. Exits with 1 where a
    ratio is above its bound.

    Args:
        model: Name or path of an upscaler.
        side: Height and width of the timed picture, in pixels.
        threads: CPU threads of every contestant; by default all cores this process may use.
        rounds: Interleaved rounds; the median of their ratios counts.
        megapixels: Sizes of the pictures whose whole cost is measured.
        json: Print one JSON object.
    """
    if rounds < LEAST_ROUNDS:
        raise UsageError(f"--rounds {rounds}: the median needs at least {LEAST_ROUNDS}")
    if side < 1 or min(megapixels, default=1) <= 0:
        raise UsageError(f"--side {side}, --megapixels {megapixels}: must be positive")
    if find_spec("torch") is None:  # imported in another process: say it as an import would
        raise ModuleNotFoundError("No module named 'torch'", name="torch")
    if not openvino_is_there():
        print(ABSENT, file=sys.stderr)
    cores = default_threads() if threads is None else check_threads(threads)
    measured, engines = measure_upscaling(model, side=side, threads=cores, rounds=rounds)
    measured += measure_startup(rounds=rounds)
    costs = [measure_cost(model, megapixels=size, threads=cores) for size in megapixels]
    if json:
        report = _report(measured, engines, costs, threads=cores, side=side, model=model)
        sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
    else:
        _print(measured, engines, costs, threads=cores, side=side)
    return 0 if all(ratio.holds for ratio in measured) else 1


def _report(
    measured: list[Ratio],
    engines: list[EngineCost],
    costs: list[Cost],
    *,
    threads: int,
    side: int,
    model: str,
) -> dict[str, Any]:
    packages = ["anamorph", "numpy", "onnxruntime", "torch"]
    packages += ["openvino"] if openvino_is_there() else []
    return {
        "model": model,
        "side": side,
        "threads": threads,
        "versions": {name: version(name) for name in packages},
        "ratios": [asdict(ratio) | {"holds": ratio.holds} for ratio in measured],
        "engines": [asdict(engine) for engine in engines],
        "costs": [asdict(cost) for cost in costs],
    }


def _print(
    measured: list[Ratio],
    engines: list[EngineCost],
    costs: list[Cost],
    *,
    threads: int,
    side: int,
) -> None:
    print(f"{threads} threads, {side} x {side} input, medians of interleaved rounds")
    for engine in engines:
        apart = engine.difference
        beside = "" if apart is None else f", at most {apart:.1e} from bare ONNX Runtime"
        print(
            f"{engine.name}: {engine.seconds_per_output_megapixel:.3f} s per output megapixel, "
            f"peak {engine.peak_mb:.0f} MB ({engine.ready_mb:.0f} before the first run), "
            f"{engine.precision}{beside}"
        )
    for ratio in measured:
        bound = "" if ratio.bound is None else f"  at most {ratio.bound:.2f}: "
        verdict = "" if ratio.bound is None else "holds" if ratio.holds else "MISSED"
        print(
            f"{ratio.name} / {ratio.reference}: {ratio.median:.3f}"
            f" ({ratio.least:.3f} to {ratio.greatest:.3f}; {ratio.seconds * 1e3:.1f} ms"
            f" against {ratio.reference_seconds * 1e3:.1f} ms){bound}{verdict}"
        )
    for cost in costs:
        print(cost.sentence())
