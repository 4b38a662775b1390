"""Distributions and the curve of a fit as SVG, which any browser draws."""

from collections.abc import Sequence
from typing import Final
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import ArrayLike

from anamorph.divergence import Fit, probabilities

_WIDTH: Final = 560
_HEIGHT: Final = 280
_LEFT: Final = 52
_RIGHT: Final = 12
_TOP: Final = 28
_BOTTOM: Final = 38
_COLOURS: Final = ("#3b6fb6", "#d1702c")
_LABEL: Final = 210  # pixels that the words beside the least take
_TALLEST: Final = 3.0  # times the median of a curve that are shown


def draw_distributions(first: ArrayLike, second: ArrayLike, names: tuple[str, str]) -> str:
    """Return bars of two distributions side by side, as SVG.

    Args:
        first: Counts or chances.
        second: Counts or chances, of as many outcomes.
        names: What to call them.

    Raises:
        InputError: They are no distributions.
    """
    chances = [probabilities(first), probabilities(second)]
    highest = float(max(one.max() for one in chances)) * 1.1
    outcomes = len(chances[0])
    step = (_WIDTH - _LEFT - _RIGHT) / outcomes
    parts = [_frame(highest, "chance", "outcome")]
    for series, (values, colour) in enumerate(zip(chances, _COLOURS, strict=True)):
        for outcome, value in enumerate(values):
            x = _LEFT + (outcome + 0.12 + 0.38 * series) * step
            top = _y(float(value), highest)
            title = f"<title>{escape(names[series])}, {outcome}: {value:.4f}</title>"
            box = f'x="{x:.1f}" y="{top:.1f}" width="{0.38 * step:.1f}"'
            height = _HEIGHT - _BOTTOM - top
            parts.append(f'<rect {box} height="{height:.1f}" fill="{colour}">{title}</rect>')
    every = -(-outcomes // 20)
    for outcome in range(0, outcomes, every):
        parts.append(_label(_LEFT + (outcome + 0.5) * step, str(outcome)))
    parts += [_legend(series, name) for series, name in enumerate(names)]
    return _svg(parts, f"{names[0]} beside {names[1]}, chance of each outcome")


def draw_curve(fit: Fit, parameter: str = "p") -> str:
    """Return the divergence over a family's parameter with its least marked, as SVG."""
    finite = np.isfinite(fit.curve)
    highest = float(min(fit.curve[finite].max(), _TALLEST * np.median(fit.curve[finite])))
    highest = max(highest * 1.05, fit.divergence * 1.5, 1e-6)
    parts = [_frame(highest, f"divergence, {fit.unit}", parameter)]
    shown = [
        (_x(float(x)), _y(float(y), highest))
        for x, y in zip(fit.parameters, fit.curve, strict=True)
        if y <= highest
    ]
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in shown)
    line = f'fill="none" stroke="{_COLOURS[0]}" stroke-width="2"'
    parts.append(f'<polyline points="{points}" {line}/>')
    x, y = _x(fit.parameter), _y(fit.divergence, highest)
    below = f'x1="{x:.1f}" x2="{x:.1f}" y1="{y:.1f}" y2="{_HEIGHT - _BOTTOM}"'
    parts.append(f'<line {below} stroke="{_COLOURS[1]}" stroke-dasharray="4 3"/>')
    parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{_COLOURS[1]}"/>')
    least = f"least {fit.divergence:.3f} {fit.unit} at {parameter} = {fit.parameter:.3f}"
    # Well above the least, where the curve has left room, and within the drawing.
    middle = min(max(x, _LEFT + _LABEL / 2), _WIDTH - _RIGHT - _LABEL / 2)
    parts.append(_text(middle, max(y - 42, _TOP + 10), least, anchor="middle"))
    parts += [_label(_x(place), f"{place:g}") for place in (0, 0.2, 0.4, 0.6, 0.8, 1)]
    return _svg(parts, f"divergence over {parameter}; {least}")


def _x(share: float) -> float:
    return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)


def _y(value: float, highest: float) -> float:
    return _HEIGHT - _BOTTOM - value / highest * (_HEIGHT - _TOP - _BOTTOM)


def _frame(highest: float, vertical: str, horizontal: str) -> str:
    base, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    parts = []
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = _y(share * highest, highest)
        line = f'x1="{_LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"'
        parts.append(f'<line {line} stroke="currentColor" stroke-opacity="0.18"/>')
        parts.append(_text(_LEFT - 6, y + 4, f"{share * highest:.3g}", anchor="end"))
    parts.append(_text(_LEFT, 14, vertical))
    parts.append(_text((_LEFT + right) / 2, base + 34, horizontal, anchor="middle"))
    return "".join(parts)


def _label(x: float, text: str) -> str:
    return _text(x, _HEIGHT - _BOTTOM + 17, text, anchor="middle")


def _legend(series: int, name: str) -> str:
    x = _LEFT + 150 + 200 * series
    box = f'x="{x}" y="5" width="11" height="11" fill="{_COLOURS[series]}"'
    return f"<rect {box}/>" + _text(x + 17, 15, name)


def _text(x: float, y: float, text: str, *, anchor: str = "start") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} fill="currentColor">{escape(text)}</text>'


def _svg(parts: Sequence[str], title: str) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img"'
    style = 'font-family="system-ui, sans-serif" font-size="12"'
    return f"{head} {style}><title>{escape(title)}</title>{''.join(parts)}</svg>"
