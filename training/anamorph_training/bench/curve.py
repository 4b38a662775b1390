"""`anamorph bench curve`: what upscaling costs against the picture's size, drawn."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from cyclopts import Parameter

from anamorph.errors import InputError, UsageError
from anamorph.loading import resolve
from anamorph.model_file import read_card
from anamorph.picture_format import check_fits, format_for
from anamorph.threads import check_threads, default_threads
from anamorph_training.bench.cost import Cost, OutputFormat, measure_cost
from anamorph_training.bench.drawing import draw_costs, fit_through_origin, load_figure
from anamorph_training.bench.samples import paint_photograph
from anamorph_training.sheets import check_sheet

_ASPECT: Final = 4 / 3


class _Report(msgspec.Struct):
    """What ``--json`` prints and ``--costs`` reads."""

    title: str
    costs: list[Cost]


def curve(
    target: Path,
    *,
    model: Annotated[str, Parameter(alias="-m")] = "photo-x4",
    megapixels: tuple[float, ...] = (1.0, 4.0, 12.0, 24.0, 48.0),
    format: OutputFormat = "png",
    threads: int | None = None,
    costs: Path | None = None,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Draw what upscaling costs against the picture's size.

    Each size is one process: `anamorph upscale` of a PNG of smooth random patches, which compresses
    as photographs do, 4 to 3. Files lie in the temporary folder (TMPDIR) while it is measured: 48
    megapixels at x4 need 5 GB there.

    Args:
        target: PNG to draw; replaced if it is there.
        model: Name or path of an upscaler.
        megapixels: Sizes of the pictures; give it once for each.
        format: Format of what is written.
        threads: CPU threads; by default all cores this process may use.
        costs: Draw what --json printed to this file before, and measure nothing.
        json: Print one JSON object.
    """
    check_sheet(target)
    load_figure()
    if costs is not None:
        report = _read(costs)
    else:
        cores = default_threads() if threads is None else check_threads(threads)
        report = _measure(model, megapixels, format, threads=cores)
    draw_costs(target, report.costs, title=report.title)
    slope, fit = fit_through_origin(report.costs)
    peaks = [cost.peak_mb for cost in report.costs]
    growth = max(peaks) / min(peaks)
    if json:
        told: dict[str, Any] = {
            "title": report.title,
            "costs": [asdict(cost) for cost in report.costs],
            "seconds_per_input_megapixel": slope,
            "r_squared": fit,
            "peak_growth": growth,
        }
        sys.stdout.write(msgspec.json.encode(told).decode() + "\n")
    else:
        sys.stdout.write("".join(f"{cost.sentence()}\n" for cost in report.costs))
        sys.stdout.write(
            f"{slope:.3f} s per input megapixel through the origin, R^2 {fit:.5f}; greatest peak "
            f"{growth:.2f} times the least\n"
        )


def _measure(
    model: str, megapixels: tuple[float, ...], format: OutputFormat, *, threads: int
) -> _Report:
    if min(megapixels, default=0) <= 0:
        raise UsageError(f"--megapixels {megapixels}: give positive sizes")
    card = read_card(resolve(model))
    form = format_for(None, format)
    side = round((max(megapixels) * 1e6 * _ASPECT) ** 0.5) * card.scale
    check_fits("the largest output", form, width=side, height=round(side / _ASPECT), bands=3)
    costs = []
    for size in megapixels:
        cost = measure_cost(
            model,
            megapixels=size,
            threads=threads,
            paint=paint_photograph,
            aspect=_ASPECT,
            format=format,
        )
        costs.append(cost)
        print(cost.sentence(), file=sys.stderr)  # noqa: T201 - the largest takes minutes
    cores = f"{threads} thread{'s' if threads > 1 else ''}"
    return _Report(f"{card.name} (x{card.scale}), {cores}, PNG to {form.title}", costs)


def _read(path: Path) -> _Report:
    try:
        report = msgspec.json.decode(path.read_bytes(), type=_Report)
    except (OSError, msgspec.DecodeError) as error:
        raise InputError(
            f"{path}: cannot be read ({error}); give what anamorph bench curve --json printed"
        ) from None
    if not report.costs:
        raise InputError(f"{path}: holds no costs; measure again")
    return report
