"""`anamorph bench`: speed, memory and start-up as ratios in one run."""

import sys
from dataclasses import asdict
from importlib.metadata import version
from typing import Annotated, Any, Final

import msgspec
from cyclopts import Parameter

from anamorph.errors import UsageError
from anamorph.threads import check_threads, default_threads
from anamorph_training.bench.rounds import Ratio
from anamorph_training.bench.startup import measure_startup
from anamorph_training.bench.upscaling import Cost, measure_cost, measure_upscaling

LEAST_ROUNDS: Final = 5


def bench(
    *,
    model: Annotated[str, Parameter(alias="-m")] = "photo-x4",
    side: int = 256,
    threads: int | None = None,
    rounds: int = 7,
    megapixels: tuple[float, ...] = (0.25, 1.0, 4.0),
    json: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Measure speed, memory and start-up as ratios in one run.

    Exits with 1 where a ratio is above its bound.

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
    cores = default_threads() if threads is None else check_threads(threads)
    ratios = measure_upscaling(model, side=side, threads=cores, rounds=rounds)
    ratios += measure_startup(rounds=rounds)
    costs = [measure_cost(model, megapixels=size, threads=cores) for size in megapixels]
    if json:
        report = _report(ratios, costs, threads=cores, side=side, model=model)
        sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
    else:
        _print(ratios, costs, threads=cores, side=side)
    return 0 if all(ratio.holds for ratio in ratios) else 1


def _report(
    ratios: list[Ratio], costs: list[Cost], *, threads: int, side: int, model: str
) -> dict[str, Any]:
    packages = ("anamorph", "numpy", "onnxruntime", "torch")
    return {
        "model": model,
        "side": side,
        "threads": threads,
        "versions": {name: version(name) for name in packages},
        "ratios": [asdict(ratio) | {"holds": ratio.holds} for ratio in ratios],
        "costs": [asdict(cost) for cost in costs],
    }


def _print(ratios: list[Ratio], costs: list[Cost], *, threads: int, side: int) -> None:
    print(f"{threads} threads, {side} x {side} input, medians of interleaved rounds")
    for ratio in ratios:
        bound = "" if ratio.bound is None else f"  at most {ratio.bound:.2f}: "
        verdict = "" if ratio.bound is None else "holds" if ratio.holds else "MISSED"
        print(
            f"{ratio.name} / {ratio.reference}: {ratio.median:.3f}"
            f" ({ratio.least:.3f} to {ratio.greatest:.3f}; {ratio.seconds * 1e3:.1f} ms"
            f" against {ratio.reference_seconds * 1e3:.1f} ms){bound}{verdict}"
        )
    for cost in costs:
        print(
            f"{cost.input_megapixels:.2f} -> {cost.output_megapixels:.1f} megapixels: "
            f"{cost.seconds:.2f} s, {cost.seconds_per_output_megapixel:.3f} s per output megapixel,"
            f" peak {cost.peak_mb:.0f} MB"
        )
