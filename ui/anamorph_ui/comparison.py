"""A picture before and after, one over the other, with a slider between them."""

import html
from dataclasses import dataclass
from pathlib import Path

from anamorph.picture_reader import open_picture
from anamorph_ui.inline_pictures import SHOWN, as_address, eight_bits


@dataclass(frozen=True)
class Comparison:
    """What is shown of an enlargement.

    Attributes:
        words: Its sizes, in a sentence.
        html: Both pictures over each other at one pixel per pixel, with a slider.
    """

    words: str
    html: str


def compare(before: Path, after: Path, *, name: str) -> Comparison:
    """Show a picture and its enlargement.

    Args:
        before: File that came in.
        after: File that was made of it.
        name: Of what made it.
    """
    small, large = open_picture(before).pixels, open_picture(after).pixels
    scale = large.shape[1] // small.shape[1]
    rows, columns = (_middle(side, SHOWN // scale) for side in small.shape[:2])
    shown = [
        as_address(eight_bits(one), "webp")
        for one in (
            small.read(rows, columns),
            large.read(_times(rows, scale), _times(columns, scale)),
        )
    ]
    sizes = [f"{one.shape[1]} x {one.shape[0]}" for one in (small, large)]
    height, width = ((one.stop - one.start) * scale for one in (rows, columns))
    words = f"{sizes[0]} pixels became {sizes[1]}, {after.stat().st_size / 1e6:.2f} MB"
    if (height, width) != large.shape[:2]:
        words += f"; the middle is shown, {width} x {height}"
    first = f"The picture before, {sizes[0]} pixels, stretched"
    second = f"The picture as {name} enlarged it, {sizes[1]} pixels"
    size = f'width="{width}" height="{height}"'
    made = f"""
<figure class="compare" style="--cut: 50%">
  <div class="compare-view" tabindex="0" role="group" aria-label="Both pictures, scrollable">
  <div class="compare-stack">
    <img class="compare-after" {size} src="{shown[1]}" alt="{html.escape(second)}">
    <img class="compare-before" {size} src="{shown[0]}" alt="{html.escape(first)}">
    <span class="compare-line"></span>
  </div></div>
  <label>before <input type="range" min="0" max="100" value="50" data-compare
    aria-label="How much of the picture before is shown, from the left"> after</label>
</figure>"""
    return Comparison(words, made)


def _middle(length: int, most: int) -> slice:
    start = max(0, (length - most) // 2)
    return slice(start, start + min(length, most))


def _times(part: slice, scale: int) -> slice:
    return slice(part.start * scale, part.stop * scale)
