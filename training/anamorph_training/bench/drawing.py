"""The picture of what upscaling costs, against the size of what goes in."""

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from anamorph.errors import UnavailableError
from anamorph.new_file import replacing
from anamorph_training.bench.cost import Cost

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, HEIGHT, DPI = 10.0, 4.2, 100
_BLUE: Final = "#1f5fa8"
_GREY: Final = "#8a8f98"
_TEXT: Final = 12  # points


def load_figure() -> Any:
    """Return matplotlib's class ``Figure``.

    Raises:
        UnavailableError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise UnavailableError(
            f"drawing needs {error.name}: pip install 'anamorph[bench]'"
        ) from None
    return Figure


def fit_through_origin(costs: Sequence[Cost]) -> tuple[float, float]:
    """Fit time = slope x input megapixels, by least squares.

    Returns:
        Seconds per input megapixel, and R^2: one minus the squares left over the squares about the
        mean; 1 where only one size, or one time, was measured.
    """
    sizes = np.array([cost.input_megapixels for cost in costs])
    seconds = np.array([cost.seconds for cost in costs])
    slope = float(sizes @ seconds / (sizes @ sizes))
    left = float(((seconds - slope * sizes) ** 2).sum())
    about = float(((seconds - seconds.mean()) ** 2).sum())
    return slope, 1 - left / about if about else 1.0


def draw_costs(path: Path, costs: Sequence[Cost], *, title: str) -> None:
    """Draw seconds and peak memory against input megapixels, side by side.

    Args:
        path: PNG to write, 1000 x 420 pixels; replaced if it is there.
        costs: What was measured, in any order.
        title: What was run: model, threads, formats.

    Raises:
        UnavailableError: matplotlib is not installed.
        OutputError: The file cannot be written.
    """
    costs = sorted(costs, key=lambda cost: cost.input_megapixels)
    figure = load_figure()(figsize=(WIDTH, HEIGHT), dpi=DPI, layout="constrained")
    figure.suptitle(title, fontsize=_TEXT + 1)
    times, memory = figure.subplots(1, 2)
    _draw_times(times, costs)
    _draw_memory(memory, costs)
    for axes in (times, memory):
        axes.set_xlabel("input, megapixels", fontsize=_TEXT)
        axes.set_xlim(0, costs[-1].input_megapixels * 1.05)
        axes.tick_params(labelsize=_TEXT - 1)
        axes.grid(color="#e3e5e8")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    content = io.BytesIO()
    figure.savefig(content, format="png", metadata={"Software": None})
    with replacing(path, force=True) as descriptor, os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(content.getvalue())


def _draw_times(axes: "Axes", costs: Sequence[Cost]) -> None:
    slope, fit = fit_through_origin(costs)
    greatest = costs[-1]
    per_output = slope * greatest.input_megapixels / greatest.output_megapixels
    ends = [0.0, greatest.input_megapixels * 1.05]
    axes.plot(
        ends,
        [slope * end for end in ends],
        color=_GREY,
        label=f"{per_output:.3f} s per output megapixel, $R^2$ = {fit:.4f}",
    )
    axes.plot(
        [cost.input_megapixels for cost in costs],
        [cost.seconds for cost in costs],
        "o",
        color=_BLUE,
    )
    axes.set_ylabel("time of the whole command, s", fontsize=_TEXT)
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper left", fontsize=_TEXT - 1, frameon=False)


def _draw_memory(axes: "Axes", costs: Sequence[Cost]) -> None:
    peaks = [cost.peak_mb for cost in costs]
    axes.plot([cost.input_megapixels for cost in costs], peaks, "o-", color=_BLUE)
    labels = [(costs[-1], "right", 9)]
    if len(costs) > 1:  # under the line, where it leaves upwards
        labels.append((costs[0], "left", -16 if peaks[0] < peaks[1] else 9))
    for cost, side, offset in labels:
        axes.annotate(
            f"{cost.peak_mb:.0f} MB",
            (cost.input_megapixels, cost.peak_mb),
            xytext=(0, offset),
            textcoords="offset points",
            ha=side,
            fontsize=_TEXT - 1,
        )
    axes.set_ylabel("peak memory, MB", fontsize=_TEXT)
    axes.set_ylim(0, max(peaks) * 1.35)
