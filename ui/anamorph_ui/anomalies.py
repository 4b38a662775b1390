"""What is not normal in a picture, and which pictures are strange, as the page and routes tell."""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from anamorph.card import Calibration
from anamorph.detector import Detection, Detector
from anamorph.errors import InputError, ModelFileError
from anamorph.outliers import OutlierFinder, Strangeness
from anamorph.picture import Picture
from anamorph_ui.inline_pictures import SHOWN, draw, eight_bits, shrink
from anamorph_ui.jobs import Job
from anamorph_ui.line_chart import Line, Mark, draw_lines
from anamorph_ui.workshop import Workshop

DETECT: Final = "detect"
OUTLIERS: Final = "outliers"
_THUMBNAIL: Final = 160  # pixels
_GALLERY: Final = 24  # of the strangest that are shown


@dataclass(frozen=True)
class Ranked:
    """One picture among several, with a small copy; or why it could not be judged."""

    name: str
    found: Strangeness | None = None
    picture: Picture | None = None
    error: str = ""


def look(
    workshop: Workshop,
    model: str,
    path: Path,
    *,
    threshold: float | None = None,
    heat_threshold: float | None = None,
) -> tuple[Detector, Detection]:
    """Find what is not normal in the picture of a file.

    Raises:
        InputError: It is refused, has too many pixels, or the model detects nothing.
        ModelNotFoundError: There is no such model.
        ModelFileError: The model makes what are no numbers, or heat of another size.
    """
    detector: Detector = workshop.shelf.load(model, task=DETECT)
    picture = Picture.open(path, max_pixels=workshop.limits.pixels)
    found = detector.detect(picture, threshold=threshold, heat_threshold=heat_threshold)
    if not (math.isfinite(found.score) and np.isfinite(found.heat).all()):
        raise ModelFileError(f"{model}: makes NaN or infinity of {path.name}; export it again")
    if found.heat.shape != found.picture.shape[:2]:
        raise ModelFileError(
            f"{model}: makes heat of another size than {path.name} has; export it again"
        )
    return detector, found


def tell(found: Detection) -> dict[str, Any]:
    """Return as JSON what was found in a picture."""
    return {
        "model": found.model,
        "score": found.score,
        "threshold": found.threshold,
        "heat_threshold": found.heat_threshold,
        "anomalous": found.anomalous,
        "area": float(found.mask.mean()),
    }


def reduce(found: Detection) -> Detection:
    """Return what was found at the size at which it is shown; the hottest pixels stay."""
    step = -(-max(found.heat.shape) // SHOWN)
    if step <= 1:
        return found
    rows, columns = (range(0, side, step) for side in found.heat.shape)
    hottest = np.maximum.reduceat(np.maximum.reduceat(found.heat, rows, axis=0), columns, axis=1)
    return replace(found, picture=found.picture[::step, ::step], heat=hottest)


def say(found: Detection) -> str:
    """Return the verdict in words."""
    verdict = "Not normal" if found.anomalous else "Normal"
    side = "above" if found.anomalous else "not above"
    return (
        f"**{verdict}**: its score {found.score:.4g} is {side} the threshold "
        f"{found.threshold:.4g}; {found.mask.mean():.1%} of its area is hotter than "
        f"{found.heat_threshold:.4g}."
    )


def draw_found(found: Detection) -> str:
    """Return the heat over the picture, and the mask, as HTML."""
    area = f"{found.mask.mean():.1%} of its area is not normal"
    heat = draw(found.heat_picture(), f"The picture with heat over it; {area}", caption="heat")
    mask = draw(found.mask_picture(), f"The mask, white where {area}", caption="mask")
    return f'<div class="pair">{heat}{mask}</div>'


def draw_normal(normal: Calibration, score: float, *, threshold: float, name: str) -> str:
    """Return where a score lies among those of normal pictures, as SVG.

    Args:
        normal: Of the score.
        score: That of a picture.
        threshold: Scores above it are not normal.
        name: What to call the score.
    """
    points = sorted((value, share) for share, value in _shares(normal))
    values, shares = ([point[axis] for point in points] for axis in range(2))
    below = float(np.interp(score, values, shares)) if points else 0.0
    where = f"{name} {score:.4g} lies above {below:.0%} of the normal pictures"
    return draw_lines(
        [Line(points or [(threshold, 0.0)])],
        [Mark(threshold, f"threshold {threshold:.3g}"), Mark(score, f"this one {score:.3g}")],
        x_words=name,
        y_words="share of the normal pictures below",
        highest=1.0,
        title=f"{where}; the threshold is {threshold:.4g}",
    )


def _shares(normal: Calibration) -> list[tuple[float, float]]:
    shares = []
    for key, value in normal.quantiles.items():
        try:
            share = float(key)
        except ValueError:
            continue
        if 0 <= share <= 1:
            shares.append((share, value))
    return shares


def bounds(normal: Calibration, *values: float) -> tuple[float, float]:
    """Return the least and the greatest value of a slider that holds all of some values."""
    known = [value for _, value in _shares(normal)] + [normal.threshold, *values]
    low, high = min(known), max(known)
    room = 0.1 * (high - low) or max(abs(high), 1.0)
    ends = (low if low >= 0 else low - room, high + room)
    return float(f"{ends[0]:.2g}"), float(f"{ends[1]:.3g}")


def rank(
    workshop: Workshop, job: Job, paths: Sequence[Path], *, model: str, by: Sequence[str]
) -> tuple[OutlierFinder, list[Ranked]]:
    """Judge pictures, and return the strangest first; those that cannot be read come last.

    Raises:
        InputError: There are none or too many, none can be read, or the model has no such score.
        ModelNotFoundError: There is no such model.
        CalledOffError: The job was called off.
    """
    check_count(workshop, len(paths))
    finder: OutlierFinder = workshop.shelf.load(model, task=OUTLIERS)
    if wrong := [name for name in by if name not in finder.scores]:
        known = ", ".join(finder.scores)
        raise InputError(f"score {wrong[0]!r}: {model} has {known}; give one of them")
    judged = []
    for number, path in enumerate(paths):
        job.progress(number / len(paths))
        judged.append(_judge(workshop, finder, path, by))
    if all(one.found is None for one in judged):
        raise InputError(judged[0].error)
    return finder, sorted(judged, key=lambda one: -one.found.strangeness if one.found else math.inf)


def check_count(workshop: Workshop, count: int) -> None:
    """Refuse no pictures, and too many.

    Raises:
        InputError: Says how many are accepted.
    """
    if not 1 <= count <= workshop.limits.files:
        raise InputError(f"{count} files at once, give 1 to {workshop.limits.files}")


def _judge(workshop: Workshop, finder: OutlierFinder, path: Path, by: Sequence[str]) -> Ranked:
    try:
        picture = Picture.open(path, max_pixels=workshop.limits.pixels)
        found = finder.measure(picture, by=by)
    except InputError as error:
        return Ranked(path.name, error=workshop.without_folders(str(error)))
    if not all(map(math.isfinite, found.scores.values())):
        return Ranked(path.name, error=f"{path.name}: the model makes NaN or infinity of it")
    return Ranked(path.name, found, _thumbnail(picture))


def _thumbnail(picture: Picture) -> Picture:
    """Return a small copy without what the file carries besides."""
    return Picture(shrink(eight_bits(picture.bands), _THUMBNAIL))


def tell_ranked(one: Ranked) -> dict[str, Any]:
    """Return as JSON how strange a picture is."""
    if one.found is None:
        return {"file": one.name, "error": one.error}
    return {
        "file": one.name,
        "strangeness": one.found.strangeness,
        "by": one.found.by,
        "outlier": one.found.outlier,
        "scores": one.found.scores,
    }


def draw_gallery(ranked: Sequence[Ranked]) -> str:
    """Return the strangest pictures as HTML, with their names and how strange they are."""
    figures = []
    for place, one in enumerate(ranked[:_GALLERY], 1):
        if one.found is None or one.picture is None:
            continue
        words = f"{one.name}: {one.found.strangeness:.2f} by {one.found.by}"
        if one.found.outlier:
            words += ", an outlier"
        figures.append(draw(one.picture, f"Number {place}, {words}", caption=words))
    return f'<div class="gallery">{"".join(figures)}</div>'


def draw_table(finder: OutlierFinder, ranked: Sequence[Ranked]) -> str:
    """Return all scores of all pictures as an HTML table."""
    head = ["picture", "strangeness", "by", *finder.scores]
    rows = ["<tr>" + "".join(f"<th scope='col'>{html.escape(one)}</th>" for one in head) + "</tr>"]
    for one in ranked:
        name = f"<th scope='row'>{html.escape(one.name)}</th>"
        if one.found is None:
            rows.append(
                f"<tr>{name}<td colspan='{len(head) - 1}'>{html.escape(one.error)}</td></tr>"
            )
            continue
        mark = " (outlier)" if one.found.outlier else ""
        cells = [f"{one.found.strangeness:.2f}{mark}", one.found.by]
        cells += [f"{one.found.scores[score]:.4g}" for score in finder.scores]
        rows.append(f"<tr>{name}{''.join(f'<td>{html.escape(cell)}</td>' for cell in cells)}</tr>")
    region = 'class="card wide" tabindex="0" role="group" aria-label="All scores, scrollable"'
    return f"<div {region}><table>{''.join(rows)}</table></div>"
