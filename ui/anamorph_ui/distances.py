"""What the page and the route tell of two distributions, and of two Gaussians."""

import html
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from anamorph import divergence as measures
from anamorph.commands.divergence import TEETH, make_family, parse
from anamorph.divergence import Fit, Gaussian, Probabilities, Unit
from anamorph.divergence_chart import draw_curve, draw_distributions
from anamorph.errors import InputError
from anamorph_ui.line_chart import Line, draw_lines

MOST_OUTCOMES: Final = 200
MOST_LETTERS: Final = 5000
RECONSTRUCTED: Final = (
    "The lecture prints figures of its histogram of teeth and not the histogram: *teeth* is the "
    "smoothest one that has all those figures. It is reconstructed, not observed."
)

_MOST: Final = 1e6  # of a Gaussian's mean and deviation
_LEAST: Final = 1e-6  # of its deviation
_REACH: Final = 4.0  # deviations that are drawn on both sides


@dataclass(frozen=True)
class Compared:
    """Two distributions, and how far they are apart.

    Attributes:
        first: What happens.
        second: What is expected.
        names: What they are called.
        unit: Of all figures.
        figures: By name; infinite where one rules out what the other does not.
        family: Of which the nearest member is sought; empty for none.
        reverse: Whether that minimises KL(family || observed).
        nearest: That member, and the curve; None for no family.
    """

    first: Probabilities
    second: Probabilities
    names: tuple[str, str]
    unit: Unit
    figures: dict[str, float]
    family: str = ""
    reverse: bool = False
    nearest: Fit | None = None


def compare(
    observed: str,
    expected: str,
    *,
    unit: Unit,
    family: str = "",
    split: int | None = None,
    reverse: bool = False,
) -> Compared:
    """Compare two distributions as `anamorph divergence` does.

    Raises:
        InputError: A text names no distribution, or the family does not fit it.
    """
    if max(len(observed), len(expected)) > MOST_LETTERS:
        raise InputError(f"a distribution of more than {MOST_LETTERS} letters; give fewer numbers")
    first = parse(observed.strip(), outcomes=None)
    if len(first) > MOST_OUTCOMES:
        raise InputError(f"{len(first)} outcomes, {MOST_OUTCOMES} are the most; give fewer numbers")
    second = parse(expected.strip(), outcomes=len(first))
    figures = {
        "entropy_observed": measures.entropy(first, unit),
        "entropy_expected": measures.entropy(second, unit),
        "kl_observed_expected": measures.kl_divergence(first, second, unit),
        "kl_expected_observed": measures.kl_divergence(second, first, unit),
        "jensen_shannon": measures.jensen_shannon(first, second, unit),
    }
    nearest = None
    if split is not None and family != "two-level":
        raise InputError("split: is for the family two-level; leave it out")
    if family:
        members = make_family(family, len(first), split)
        nearest = measures.fit(first, members, unit=unit, reverse=reverse)
    names = tuple(
        one.strip() if len(one) <= 24 else word for one, word in _worded(observed, expected)
    )
    assert len(names) == 2
    return Compared(first, second, names, unit, figures, family, reverse, nearest)


def _worded(observed: str, expected: str) -> tuple[tuple[str, str], tuple[str, str]]:
    return (observed, "observed"), (expected, "expected")


def read_split(text: str) -> int | None:
    """Return the outcome that a text names; None for the middle, which no text stands for.

    Raises:
        InputError: It names none.
    """
    if not text.strip():
        return None
    try:
        return int(text)
    except ValueError:
        raise InputError(
            f"split {text!r}: give the number of an outcome, or nothing for the middle"
        ) from None


def tell(found: Compared) -> dict[str, Any]:
    """Return all figures as JSON; infinite ones are null."""
    told: dict[str, Any] = {"unit": found.unit}
    told |= {name: _finite(value) for name, value in found.figures.items()}
    if found.nearest:
        least = _finite(found.nearest.divergence)
        told |= {"family": found.family, "p": found.nearest.parameter, "least": least}
    return told


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def draw_figures(found: Compared) -> str:
    """Return the figures as an HTML table."""
    first, second = found.names
    rows = {
        f"Entropy of {first}": found.figures["entropy_observed"],
        f"Entropy of {second}": found.figures["entropy_expected"],
        f"KL({first} || {second})": found.figures["kl_observed_expected"],
        f"KL({second} || {first})": found.figures["kl_expected_observed"],
        "Jensen-Shannon, alike both ways": found.figures["jensen_shannon"],
    }
    table = draw_table(rows, found.unit)
    if all(map(math.isfinite, rows.values())):
        return table
    return f"{table}<p>It is infinite where one rules out what the other does not.</p>"


def draw_table(rows: Mapping[str, float], unit: str) -> str:
    """Return figures by name as an HTML table."""
    lines = "".join(
        f"<tr><th scope='row'>{html.escape(name)}</th><td>{_worded_figure(value, unit)}</td></tr>"
        for name, value in rows.items()
    )
    return f'<div class="card wrapped"><table>{lines}</table></div>'


def _worded_figure(value: float, unit: str) -> str:
    return f"{value:.4f} {unit}" if math.isfinite(value) else "∞"


def draw_bars(found: Compared) -> str:
    """Return both distributions as SVG."""
    return draw_distributions(found.first, found.second, found.names)


def draw_nearest(found: Compared) -> tuple[str, str]:
    """Return the nearest member in words, and the curve over the parameter as SVG."""
    if not found.nearest:
        return "", ""
    pair = (found.family, found.names[0]) if found.reverse else (found.names[0], found.family)
    words = (
        f"KL({pair[0]} || {pair[1]}) is least at **p = {found.nearest.parameter:.3f}**: "
        f"{found.nearest.divergence:.4f} {found.unit}."
    )
    return words, draw_curve(found.nearest)


def compare_gaussians(first: Gaussian, second: Gaussian, unit: Unit) -> dict[str, float]:
    """Return the entropies and divergences of two Gaussians by name.

    Raises:
        InputError: They are too far from what can be integrated.
    """
    for one in (first, second):
        if abs(one.mean) > _MOST or not _LEAST <= one.deviation <= _MOST:
            raise InputError(
                f"Gaussian of mean {one.mean:g} and deviation {one.deviation:g}: give a mean up to "
                f"{_MOST:g} and a deviation from {_LEAST:g} to {_MOST:g}"
            )
    return {
        "Entropy of the first": first.entropy(unit),
        "Entropy of the second": second.entropy(unit),
        "KL(first || second)": first.kl_divergence(second, unit),
        "KL(second || first)": second.kl_divergence(first, unit),
        "Jensen-Shannon, alike both ways": first.jensen_shannon(second, unit),
    }


def draw_gaussians(first: Gaussian, second: Gaussian) -> str:
    """Return the densities of two Gaussians as SVG."""
    lines = []
    for one, name in ((first, "first"), (second, "second")):
        x = np.linspace(-_REACH, _REACH, 161) * one.deviation + one.mean
        points = [(float(a), float(b)) for a, b in zip(x, one.density(x), strict=True)]
        lines.append(Line(points, f"the {name}"))
    title = "Densities of two Gaussians: " + ", ".join(
        f"mean {one.mean:g} and deviation {one.deviation:g}" for one in (first, second)
    )
    return draw_lines(lines, x_words="x", y_words="density", title=title)


def is_teeth(*texts: str) -> bool:
    """Say whether any of some texts names the lecture's histogram."""
    return TEETH in {text.strip() for text in texts}
