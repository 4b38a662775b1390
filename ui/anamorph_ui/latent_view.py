"""What the page shows of a place in a latent space."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from anamorph.autoencoder import Autoencoder
from anamorph.picture import Picture
from anamorph_ui import latent_codes as codes
from anamorph_ui.inline_pictures import draw

_SAID: Final = 8  # numbers of a code that are told in words
_CLASSES: Final = 5  # whose chances are told


@dataclass(frozen=True)
class Place:
    """Where somebody is in a latent space.

    Attributes:
        model: Name of the model.
        code: All numbers of the code.
        map_size: Pixels of the model's map, across and down; None for no map.
        shown: Whether the sliders and the map are those of the model.
    """

    model: str
    code: tuple[float, ...]
    map_size: tuple[int, int] | None = None
    shown: bool = False


def draw_strip(pictures: Sequence[Picture], words: str, folder: Path) -> tuple[str, list[str]]:
    """Return pictures along a way as HTML, and as a sheet and an animation in a folder."""
    files = [
        codes.save_strip(pictures, folder / f"traversal{suffix}") for suffix in (".png", ".gif")
    ]
    return draw(codes.as_strip(pictures), words), [str(one) for one in files]


def code_of(autoencoder: Autoencoder, place: Place | None, model: str | None) -> Sequence[float]:
    """Return where somebody is, and of another model the middle."""
    if place is None or place.model != model:
        return [float(one) for one in autoencoder.middle()]
    return place.code


def move_to(model: str | None, code: Sequence[float], before: Place | None) -> Place:
    """Return a place, whose sliders and map are shown already if it is of the same model."""
    if before is not None and before.model == model:
        return replace(before, code=tuple(code))
    return Place(model or "", tuple(code))


def see(autoencoder: Autoencoder, code: Sequence[float]) -> tuple[str, str]:
    """Return the picture of a code, and the code in words."""
    numbers = ", ".join(f"{one:.2f}" for one in code[:_SAID])
    more = f" and {len(code) - _SAID} more" if len(code) > _SAID else ""
    made = autoencoder.decode(code)[0]
    words = f"The picture that {autoencoder.origin} makes of the code {numbers}{more}"
    return draw(made, words, caption="decoded"), f"Code: {numbers}{more}"


def draw_chances(chances: Mapping[str, float]) -> str:
    """Return the likeliest classes as an HTML table; nothing where there are none."""
    likely = sorted(chances.items(), key=lambda pair: -pair[1])[:_CLASSES]
    rows = "".join(
        f"<tr><th scope='row'>{html.escape(label)}</th><td><meter value='{chance:.3f}' "
        f"aria-label='{html.escape(label)}'></meter> {chance:.0%}</td></tr>"
        for label, chance in likely
    )
    return f"<div class='card'><table>{rows}</table></div>" if rows else ""


def draw_map(autoencoder: Autoencoder, folder: Path) -> tuple[str | None, tuple[int, int] | None]:
    """Return the file of the map of a model of two numbers, and its size; None for others."""
    if autoencoder.latent_width != 2:
        return None, None
    sheet = codes.draw_map(autoencoder)
    path = folder / "map.png"
    sheet.save(path)
    return str(path), (sheet.width, sheet.height)
