"""Lines and marked places as SVG, which any browser draws in the colours around it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

_WIDTH: Final = 560
_HEIGHT: Final = 240
_LEFT: Final = 52
_RIGHT: Final = 14
_TOP: Final = 40
_BOTTOM: Final = 38
COLOURS: Final = ("#3b6fb6", "#d1702c", "#8a63b0")


@dataclass(frozen=True)
class Line:
    """Points that are joined.

    Attributes:
        points: Pairs of x and y, finite.
        words: What it is; empty where the title says so.
    """

    points: Sequence[tuple[float, float]]
    words: str = ""


@dataclass(frozen=True)
class Mark:
    """A place along the horizontal axis.

    Attributes:
        x: Where it is, finite.
        words: What is there.
    """

    x: float
    words: str


def draw_lines(
    lines: Sequence[Line],
    marks: Sequence[Mark] = (),
    *,
    x_words: str,
    y_words: str,
    title: str,
    highest: float | None = None,
) -> str:
    """Return a chart whose vertical axis begins at 0.

    Args:
        lines: At least one.
        marks: Up to two, in colours of their own.
        x_words: Of the horizontal axis.
        y_words: Of the vertical axis.
        title: All that it shows, for those who do not see it.
        highest: Where the vertical axis ends; by default above all lines.
    """
    places = [x for line in lines for x, _ in line.points] + [mark.x for mark in marks]
    low, high = min(places), max(places)
    span = (high - low) or max(abs(high), 1.0)
    highest = highest or max(y for line in lines for _, y in line.points) * 1.05 or 1.0
    scale = _Scale(low - 0.03 * span, high + 0.03 * span, highest)
    parts = [scale.frame(x_words, y_words)]
    for colour, line in zip(COLOURS, lines, strict=False):
        points = " ".join(f"{scale.x(x):.1f},{scale.y(y):.1f}" for x, y in line.points)
        style = f'fill="none" stroke="{colour}" stroke-width="2"'
        parts.append(f'<polyline points="{points}" {style}/>')
    for number, line in enumerate(line for line in lines if line.words):
        box = f'x="{_LEFT + 150 + 190 * number}" y="5" width="11" height="11"'
        parts.append(f'<rect {box} fill="{COLOURS[number]}"/>')
        parts.append(_text(_LEFT + 167 + 190 * number, 15, line.words))
    for number, mark in enumerate(marks):
        left = mark.x < max(other.x for other in marks)
        parts.append(scale.mark(mark, number, left=left))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img"'
    style = 'font-family="system-ui, sans-serif" font-size="12"'
    return f"{head} {style}><title>{escape(title)}</title>{''.join(parts)}</svg>"


@dataclass(frozen=True)
class _Scale:
    """From what is told to where it is drawn."""

    low: float
    high: float
    highest: float

    def x(self, value: float) -> float:
        return _LEFT + (value - self.low) / (self.high - self.low) * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        return _HEIGHT - _BOTTOM - value / self.highest * (_HEIGHT - _TOP - _BOTTOM)

    def frame(self, x_words: str, y_words: str) -> str:
        base = _HEIGHT - _BOTTOM
        parts = []
        for share in (0, 0.25, 0.5, 0.75, 1):
            y = self.y(share * self.highest)
            line = f'x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"'
            parts.append(f'<line {line} stroke="currentColor" stroke-opacity="0.18"/>')
            parts.append(_text(_LEFT - 6, y + 4, f"{share * self.highest:.3g}", anchor="end"))
            place = self.low + (0.05 + 0.9 * share) * (self.high - self.low)
            parts.append(_text(self.x(place), base + 17, f"{place:.3g}", anchor="middle"))
        parts.append(_text(_LEFT - 44, 14, y_words))
        parts.append(_text((_LEFT + _WIDTH) / 2, base + 34, x_words, anchor="middle"))
        return "".join(parts)

    def mark(self, mark: Mark, number: int, *, left: bool) -> str:
        x, top = self.x(mark.x), _TOP + 16 * number - 8
        colour = COLOURS[1 + number]
        ends = f'x1="{x:.1f}" x2="{x:.1f}" y1="{top - 8}" y2="{_HEIGHT - _BOTTOM}"'
        dashes = ' stroke-dasharray="4 3"' if number == 0 else ""
        line = f'<line {ends} stroke="{colour}" stroke-width="2"{dashes}/>'
        room = 7 * len(mark.words)  # pixels, about
        left = x + room > _WIDTH or (left and x - room > 0)
        return line + _text(
            x + (-6 if left else 6), top, mark.words, anchor="end" if left else "start"
        )


def _text(x: float, y: float, text: str, *, anchor: str = "start") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} fill="currentColor">{escape(text)}</text>'
