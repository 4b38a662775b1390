"""`anamorph upscale`: enlarge pictures."""

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from anamorph import batch
from anamorph.commands.progress import locate
from anamorph.commands.running import (
    STREAM,
    Outcome,
    Switch,
    attempt,
    check_places,
    print_json,
    run_all,
)
from anamorph.errors import InputError, OutputError, UsageError
from anamorph.picture_format import FORMATS, SUFFIXES, format_for
from anamorph.picture_reader import BYTES, MAX_PIXELS
from anamorph.providers import Device

if TYPE_CHECKING:
    from anamorph.upscaler import Upscaler

FormatName = Literal["png", "jpeg", "webp", "tiff", "avif", "gif"]


@dataclass(frozen=True)
class Options:
    """What holds for every picture of a run."""

    tile: int | None
    tta: bool
    quality: int | None
    force: bool
    skip_existing: bool
    format: str | None
    max_pixels: int


@dataclass(frozen=True, kw_only=True)
class PictureOutcome(Outcome):
    """What became of one picture."""

    width: int = 0
    height: int = 0

    def size(self) -> str:
        """Return pixels across and down."""
        return f"{self.width} x {self.height}"


def upscale(
    *inputs: Annotated[str, Parameter(allow_leading_hyphen=True)],
    output: Annotated[str | None, Parameter(alias="-o", allow_leading_hyphen=True)] = None,
    model: Annotated[str, Parameter(alias="-m")] = "photo-x4",
    device: Device = "auto",
    threads: int | None = None,
    tile: int | Literal["auto"] = "auto",
    tta: Switch = False,
    format: FormatName | None = None,
    quality: int | None = None,
    force: Switch = False,
    skip_existing: Switch = False,
    json: Switch = False,
    max_megapixels: float = MAX_PIXELS / 1e6,
) -> int:
    """Enlarge pictures, keeping alpha, 16 bits, grey, colour profile and resolution.

    Args:
        inputs: Files, folders (searched recursively), or - for standard input.
        output: File, folder, or - for standard output; by default beside each input.
        model: Name (see `anamorph models`), path, https:// or hf:// address of a model.
        device: Where to run; auto takes the best that is there.
        threads: CPU threads; by default all cores this process may use.
        tile: Side of the tiles in input pixels; smaller needs less memory, same result.
        tta: Average eight rotations and reflections: eight times slower, a little closer.
        format: Format of the outputs; by default that of the input (of -o, if it is a file).
        quality: 1 to 100 for JPEG, WebP and AVIF.
        force: Replace outputs that exist.
        skip_existing: Leave outputs that exist, and go on with the others.
        json: Print one JSON object per picture to standard output.
        max_megapixels: Refuse larger inputs (a guard against decompression bombs).
    """
    if not 0 < max_megapixels < math.inf:
        raise UsageError(f"--max-megapixels {max_megapixels:g}: must be a positive number")
    options = Options(
        tile=None if tile == "auto" else tile,
        tta=tta,
        quality=quality,
        force=force,
        skip_existing=skip_existing,
        format=format,
        max_pixels=round(max_megapixels * 1e6),
    )
    _check(options)
    check_places(inputs, output, what="picture", json=json)
    _check_suffix(output, options)

    from anamorph.loading import load_upscaler

    upscaler = load_upscaler(locate(model), device=device, threads=threads)
    if STREAM in inputs:
        return _upscale_stdin(upscaler, output, options, json=json)
    jobs = batch.plan(
        [Path(given) for given in inputs],
        output=output,
        mark=f"-x{upscaler.card.scale}",
        suffixes=SUFFIXES,
        suffix=FORMATS[format].suffixes[0] if format else None,
    )
    return _upscale_all(upscaler, jobs, options, json=json)


def _check(options: Options) -> None:
    """Refuse numbers and switches that make no sense, before a model is loaded."""
    if options.tile is not None and options.tile < 1:
        raise UsageError(f"--tile {options.tile}: must be at least 1 pixel, or auto")
    if options.quality is not None and not 1 <= options.quality <= 100:
        raise UsageError(f"--quality {options.quality}: must be from 1 to 100")
    if options.force and options.skip_existing:
        raise UsageError("--force and --skip-existing exclude each other; give one")


def _check_suffix(output: str | None, options: Options) -> None:
    if output is None or output == STREAM or not options.format:
        return
    path = Path(output)
    known = path.suffix.lower() in SUFFIXES and not path.is_dir()
    if known and format_for(path).name != options.format:
        raise UsageError(f"-o {output}: its suffix contradicts --format {options.format}; drop one")


def _upscale_all(
    upscaler: "Upscaler", jobs: Sequence[batch.Job], options: Options, *, json: bool
) -> int:
    """Upscale every job, go on past bad files and list them at the end."""
    return run_all(
        jobs,
        lambda job, progress: _attempt(upscaler, job.source, job.target, options, progress),
        title=f"{upscaler.origin} on {upscaler.device}",
        what="pictures",
        json=json,
    )


def _upscale_stdin(
    upscaler: "Upscaler", output: str | None, options: Options, *, json: bool
) -> int:
    if sys.stdin is None or not (data := sys.stdin.buffer.read()):
        raise InputError("standard input is empty; pipe a picture into it")
    if output is not None and output != STREAM:
        outcome = _attempt(upscaler, data, Path(output), options)
        if json:
            print_json(outcome)
        else:
            print(outcome.sentence(), file=sys.stderr)
        return 1 if outcome.status == "failed" else 0
    if sys.stdout is None:
        raise OutputError("standard output is closed; give -o FILE")
    from anamorph.picture import Picture

    try:
        picture = Picture.open(data, max_pixels=options.max_pixels)
    except InputError as error:
        raise InputError(str(error).replace(BYTES, "standard input")) from None
    large = upscaler.upscale(picture, tile=options.tile, tta=options.tta)
    sys.stdout.buffer.write(large.encode(options.format or "png", quality=options.quality))
    return 0


def _attempt(
    upscaler: "Upscaler",
    source: Path | bytes,
    target: Path,
    options: Options,
    progress: Callable[[float], None] | None = None,
) -> PictureOutcome:
    def work(
        source: Path | bytes, target: Path, progress: Callable[[float], None] | None
    ) -> dict[str, Any]:
        report = upscaler.upscale_file(
            source,
            target,
            tile=options.tile,
            tta=options.tta,
            quality=options.quality,
            force=options.force,
            format=options.format,
            max_pixels=options.max_pixels,
            progress=progress,
        )
        return {"width": report.width, "height": report.height}

    return attempt(
        PictureOutcome,
        source,
        target,
        work,
        skip_existing=options.skip_existing,
        model=upscaler.origin,
        device=upscaler.device,
        cure="try a smaller --tile",
        progress=progress,
    )
