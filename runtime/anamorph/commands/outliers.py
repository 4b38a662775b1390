"""`anamorph outliers`: rank pictures by how new or rare they are."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from cyclopts import Parameter

from anamorph.commands.progress import Progress, locate
from anamorph.commands.running import Switch, made_folder, readable
from anamorph.errors import AnamorphError, InputError, OutputError, UsageError
from anamorph.new_file import check_target
from anamorph.picture_format import SUFFIXES, format_for
from anamorph.providers import Device

if TYPE_CHECKING:
    from anamorph.outliers import OutlierFinder, Strangeness
    from anamorph.picture import Picture

_COLUMNS = 8
_MOST = 10_000
_SIDE = 128  # pixels of a picture on the sheet

Score = Literal["neighbours", "density", "mahalanobis", "elbo"]


@dataclass(frozen=True)
class Ranked:
    """One picture and how strange it is; ``error`` where it could not be read."""

    path: Path
    found: "Strangeness | None"
    error: str = ""


def outliers(
    *inputs: Path,
    output: Annotated[Path | None, Parameter(alias="-o")] = None,
    model: Annotated[str, Parameter(alias="-m")] = "digits-outliers",
    score: Annotated[tuple[Score, ...], Parameter(negative=())] = (),
    top: int = 16,
    device: Device = "auto",
    threads: int | None = None,
    force: Switch = False,
    json: Switch = False,
) -> int:
    """Rank pictures by how strange they are to a model, the strangest first.

    Strangeness is 0 for the median of what the model knows, and 1 at the card's threshold.

    Args:
        inputs: Folders (searched recursively) or pictures.
        output: Also write the strangest as a sheet, row by row.
        model: Name (see `anamorph models`), path, https:// or hf:// address of a model.
        score: What to judge by; repeat for several, of which any makes an outlier. By default the
            model's best.
        top: How many of the strangest are listed and drawn.
        device: Where to run; auto takes the best that is there.
        threads: CPU threads; by default all cores this process may use.
        force: Replace a sheet that exists.
        json: Print one JSON object for every picture, the strangest first.
    """
    if not 1 <= top <= _MOST:
        raise UsageError(f"--top {top}: give 1 to {_MOST:,}")
    files = find(inputs)
    if output is not None:
        format_for(output)
        if output.resolve() in {file.resolve() for file in files}:
            raise OutputError(f"{output}: is an input itself, which is kept; choose another -o")
        if output.parent.is_dir():
            check_target(output, force=force)

    from anamorph.loading import load_outlier_finder

    finder = load_outlier_finder(locate(model), device=device, threads=threads)
    ranked = rank(finder, files, score)
    good = [one for one in ranked if one.found]
    for one in ranked if json else good[:top]:
        print(_line(one, json=json))
    if output is not None and good:
        with made_folder(output):
            _draw([one.path for one in good[:top]], output, force=force)
        print(f"written  {output}  ({finder.origin} on {finder.device})", file=sys.stderr)
    failed = [one for one in ranked if not one.found]
    for one in failed:
        print(f"failed   {one.error}", file=sys.stderr)
    strange = sum(one.found.outlier for one in good if one.found)
    print(f"{strange} of {len(good)} pictures are outliers, by {finder.origin}", file=sys.stderr)
    return 1 if failed else 0


def find(inputs: Sequence[Path]) -> list[Path]:
    """Return the picture files that are named, or lie in folders, in order.

    Raises:
        UsageError: Nothing is named.
        InputError: Something is missing, or a folder holds no picture.
    """
    if not inputs:
        raise UsageError("no input given; name a folder of pictures")
    files: list[Path] = []
    for given in inputs:
        if given.is_dir():
            inside = [f for f in given.rglob("*") if f.suffix.lower() in SUFFIXES and f.is_file()]
            found = sorted(f for f in inside if not _hidden(f.relative_to(given)))
            if not found:
                raise InputError(f"{given}: holds no pictures; give a folder of pictures")
            files += found
        elif given.exists():
            files.append(given)
        else:
            raise InputError(f"{given}: no such file or folder; check the path")
    return files


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def rank(finder: "OutlierFinder", files: Sequence[Path], score: Sequence[str]) -> list[Ranked]:
    """Measure pictures, and return them with the strangest first; bad files come last."""
    for name in score:
        finder.check_score(name)
    ranked = []
    with Progress(total=len(files), what=f"{finder.origin} on {finder.device}") as progress:
        for number, path in enumerate(files):
            progress.start(number, path.name)
            try:
                ranked.append(Ranked(path, finder.measure(path, by=score)))
            except (AnamorphError, OSError, MemoryError) as error:
                reason = " ".join(str(error).split()) or "out of memory; try a smaller picture"
                ranked.append(Ranked(path, None, readable(reason)))
    return sorted(ranked, key=lambda one: -one.found.strangeness if one.found else float("inf"))


def _line(one: Ranked, *, json: bool) -> str:
    name = readable(one.path)
    if not json:
        assert one.found
        mark = "outlier" if one.found.outlier else ""
        return f"{one.found.strangeness:8.2f}  {one.found.by:<11}  {mark:<7}  {name}".rstrip()
    fields: dict[str, object] = {"input": name, "error": one.error}
    if one.found:
        fields = {
            "input": name,
            "strangeness": one.found.strangeness,
            "by": one.found.by,
            "outlier": one.found.outlier,
            "scores": one.found.scores,
        }
    return msgspec.json.encode(fields).decode()


def _draw(paths: Sequence[Path], target: Path, *, force: bool) -> None:
    from anamorph.picture_sheet import make_sheet

    tiles = [_thumbnail(path) for path in paths]
    rows = [tiles[i : i + _COLUMNS] for i in range(0, len(tiles), _COLUMNS)]
    make_sheet(rows).save(target, force=force)


def _thumbnail(path: Path) -> "Picture":
    """Return a picture that fits a square of the sheet, on white."""
    import numpy as np

    from anamorph.picture import Picture
    from anamorph.picture_planes import to_planes

    planes = to_planes(path)[0]
    step = max(planes.shape[1:]) / _SIDE
    height, width = (max(1, round(side / step)) for side in planes.shape[1:])
    rows = np.minimum((np.arange(height) + 0.5) * step, planes.shape[1] - 1).astype(int)
    columns = np.minimum((np.arange(width) + 0.5) * step, planes.shape[2] - 1).astype(int)
    tile = np.full((_SIDE, _SIDE, 3), 255, np.uint8)
    top, left = (_SIDE - height) // 2, (_SIDE - width) // 2
    small = planes[:, rows][:, :, columns].transpose(1, 2, 0)
    tile[top : top + height, left : left + width] = np.rint(small * 255)
    return Picture(tile)
