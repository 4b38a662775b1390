"""`anamorph upscale`: enlarge pictures."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec
from cyclopts import Parameter

from anamorph import batch
from anamorph.commands.progress import Progress
from anamorph.errors import AnamorphError, InputError, OutputError

if TYPE_CHECKING:
    from anamorph.upscaler import Upscaler

Device = Literal["auto", "cpu", "cuda", "tensorrt", "coreml", "directml", "openvino"]
Format = Literal["png", "jpeg", "webp", "tiff", "avif", "gif"]

STREAM: Final = Path("-")
SUFFIXES: Final = frozenset(
    {".png", ".jpg", ".jpeg", ".jpe", ".webp", ".tif", ".tiff", ".avif", ".gif"}
)
FORMAT_SUFFIX: Final = {
    "png": ".png",
    "jpeg": ".jpg",
    "webp": ".webp",
    "tiff": ".tiff",
    "avif": ".avif",
    "gif": ".gif",
}


@dataclass(frozen=True)
class Outcome:
    """What became of one picture, as `--json` prints it."""

    input: str
    output: str
    status: Literal["written", "skipped", "failed"]
    width: int = 0
    height: int = 0
    seconds: float = 0.0
    model: str = ""
    device: str = ""
    error: str = ""


def upscale(
    *inputs: Annotated[Path, Parameter(allow_leading_hyphen=True)],
    output: Annotated[Path | None, Parameter(alias="-o", allow_leading_hyphen=True)] = None,
    model: Annotated[str, Parameter(alias="-m")] = "photo-x4",
    device: Device = "auto",
    threads: int | None = None,
    tile: int | Literal["auto"] = "auto",
    format: Format | None = None,
    quality: int | None = None,
    force: Annotated[bool, Parameter(negative=())] = False,
    skip_existing: Annotated[bool, Parameter(negative=())] = False,
    json: Annotated[bool, Parameter(negative=())] = False,
    max_megapixels: float | None = None,
) -> int:
    """Enlarge pictures, keeping alpha, 16 bits, grey, colour profile and resolution.

    Args:
        inputs: Files, folders (searched recursively), or - for standard input.
        output: File, folder, or - for standard output; by default beside each input.
        model: Name (see `anamorph models`), path, https:// or hf:// address of a model.
        device: Where to run; auto takes the best that is there.
        threads: CPU threads; by default all cores this process may use.
        tile: Side of the tiles in input pixels; smaller needs less memory, same result.
        format: Format of the outputs; by default that of the input (of -o, if it is a file).
        quality: 1 to 100 for JPEG, WebP and AVIF.
        force: Replace outputs that exist.
        skip_existing: Leave outputs that exist, and go on with the others.
        json: Print one JSON object per picture to standard output.
        max_megapixels: Refuse larger inputs (a guard against decompression bombs).
    """
    side = None if tile == "auto" else tile
    if side is not None and side < 1:
        raise InputError(f"--tile {side}: must be at least 1 pixel, or auto")
    if quality is not None and not 1 <= quality <= 100:
        raise InputError(f"--quality {quality}: must be from 1 to 100")
    if force and skip_existing:
        raise InputError("--force and --skip-existing exclude each other; give one")

    from anamorph.loading import load

    upscaler: Upscaler = load(model, device=device, threads=threads)
    options = Options(
        tile=side, quality=quality, force=force, format=format, max_megapixels=max_megapixels
    )
    if STREAM in inputs:
        return _through_pipe(upscaler, inputs, output, options, json=json)
    jobs = batch.plan(
        inputs,
        output=output,
        mark=f"-x{upscaler.card.scale}",
        suffixes=SUFFIXES,
        suffix=FORMAT_SUFFIX[format] if format else None,
    )
    return run_jobs(upscaler, jobs, options, skip_existing=skip_existing, json=json)


@dataclass(frozen=True)
class Options:
    """The options that hold for every picture of a run."""

    tile: int | None
    quality: int | None
    force: bool
    format: str | None
    max_megapixels: float | None


def run_jobs(
    upscaler: "Upscaler",
    jobs: list[batch.Job],
    options: Options,
    *,
    skip_existing: bool,
    json: bool,
) -> int:
    """Upscale every job, go on past bad files, list them at the end; return the exit code."""
    outcomes: list[Outcome] = []
    with Progress(total=len(jobs), what=f"{upscaler.card.name} on {upscaler.device}") as progress:
        for number, job in enumerate(jobs):
            progress.start(number, job.source.name)
            if skip_existing and job.target.exists():
                outcome = Outcome(str(job.source), str(job.target), "skipped")
            else:
                outcome = _attempt(upscaler, job, options, progress.update)
            outcomes.append(outcome)
            if json:
                sys.stdout.write(msgspec.json.encode(outcome).decode() + "\n")
                sys.stdout.flush()
            else:
                progress.say(_sentence(outcome))
    failed = [outcome for outcome in outcomes if outcome.status == "failed"]
    if failed and len(jobs) > 1:
        print(f"{len(failed)} of {len(jobs)} pictures failed:", file=sys.stderr)
        for outcome in failed:
            print(f"  {outcome.error}", file=sys.stderr)
    return 1 if failed else 0


def _attempt(
    upscaler: "Upscaler", job: batch.Job, options: Options, progress: Callable[[float], None]
) -> Outcome:
    begun = time.perf_counter()
    outcome = Outcome(
        str(job.source),
        str(job.target),
        "failed",
        model=f"{upscaler.card.name}@{upscaler.card.model_version}",
        device=upscaler.device,
    )
    try:
        job.target.parent.mkdir(parents=True, exist_ok=True)
        report = upscaler.upscale_file(
            job.source,
            job.target,
            tile=options.tile,
            quality=options.quality,
            force=options.force,
            progress=progress,
            **_limit(options),
        )
    except AnamorphError as error:
        return replace(outcome, error=" ".join(str(error).split()))
    except (OSError, MemoryError) as error:
        return replace(outcome, error=f"{job.source}: {error}")
    return replace(
        outcome,
        status="written",
        width=report.width,
        height=report.height,
        seconds=round(time.perf_counter() - begun, 3),
    )


def _limit(options: Options) -> dict[str, int]:
    if options.max_megapixels is None:
        return {}
    return {"max_pixels": round(options.max_megapixels * 1e6)}


def _sentence(outcome: Outcome) -> str:
    match outcome.status:
        case "failed":
            return f"failed   {outcome.error}"
        case "skipped":
            return f"skipped  {outcome.output} exists"
        case _:
            size = f"{outcome.width} x {outcome.height}, {outcome.seconds:.2f} s"
            return f"written  {outcome.output}  ({size}, {outcome.model} on {outcome.device})"


def _through_pipe(
    upscaler: "Upscaler",
    inputs: tuple[Path, ...],
    output: Path | None,
    options: Options,
    *,
    json: bool,
) -> int:
    if len(inputs) > 1:
        raise InputError("- (standard input) holds one picture; give it alone")
    from anamorph.picture import Picture

    data = sys.stdin.buffer.read()
    if not data:
        raise InputError("standard input is empty; pipe a picture into it")
    result = upscaler.upscale(Picture.open(data, **_limit(options)), tile=options.tile)
    if output is None or output == STREAM:
        if json:
            raise OutputError("--json and the picture cannot share standard output; give -o FILE")
        sys.stdout.buffer.write(result.encode(options.format or "png", quality=options.quality))
        return 0
    result.save(output, quality=options.quality, force=options.force)
    if json:
        height, width = result.pixels.shape[:2]
        outcome = Outcome("-", str(output), "written", width, height)
        sys.stdout.write(msgspec.json.encode(outcome).decode() + "\n")
    return 0
