"""`anamorph upscale`: enlarge pictures."""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec
from cyclopts import Parameter

from anamorph import batch
from anamorph.commands.progress import Progress, locate
from anamorph.errors import AnamorphError, InputError, OutputError
from anamorph.picture_format import FORMATS, check_quality, format_for
from anamorph.picture_reader import MAX_PIXELS

if TYPE_CHECKING:
    from anamorph.upscaler import Upscaler

Device = Literal["auto", "cpu", "cuda", "tensorrt", "coreml", "directml", "openvino"]
FormatName = Literal["png", "jpeg", "webp", "tiff", "avif", "gif"]
Switch = Annotated[bool, Parameter(negative=())]

STREAM: Final = Path("-")
SUFFIXES: Final = frozenset(suffix for form in FORMATS.values() for suffix in form.suffixes)


@dataclass(frozen=True)
class Options:
    """What holds for every picture of a run."""

    tile: int | None
    quality: int | None
    force: bool
    format: str | None
    max_pixels: int


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

    def sentence(self) -> str:
        """Return the outcome as one line for people."""
        if self.status == "failed":
            return f"failed   {self.error}"
        if self.status == "skipped":
            return f"skipped  {self.output} exists"
        size = f"{self.width} x {self.height}, {self.seconds:.2f} s"
        return f"written  {self.output}  ({size}, {self.model} on {self.device})"


def upscale(
    *inputs: Annotated[Path, Parameter(allow_leading_hyphen=True)],
    output: Annotated[Path | None, Parameter(alias="-o", allow_leading_hyphen=True)] = None,
    model: Annotated[str, Parameter(alias="-m")] = "photo-x4",
    device: Device = "auto",
    threads: int | None = None,
    tile: int | Literal["auto"] = "auto",
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
        format: Format of the outputs; by default that of the input (of -o, if it is a file).
        quality: 1 to 100 for JPEG, WebP and AVIF.
        force: Replace outputs that exist.
        skip_existing: Leave outputs that exist, and go on with the others.
        json: Print one JSON object per picture to standard output.
        max_megapixels: Refuse larger inputs (a guard against decompression bombs).
    """
    options = Options(
        tile=None if tile == "auto" else tile,
        quality=quality,
        force=force,
        format=format,
        max_pixels=round(max_megapixels * 1e6),
    )
    _check(options, inputs, output, skip_existing=skip_existing, json=json)

    from anamorph.loading import load

    upscaler = load(locate(model), device=device, threads=threads)
    if STREAM in inputs:
        return _upscale_stdin(upscaler, output, options, json=json)
    jobs = batch.plan(
        inputs,
        output=output,
        mark=f"-x{upscaler.card.scale}",
        suffixes=SUFFIXES,
        suffix=FORMATS[format].suffixes[0] if format else None,
    )
    return _upscale_all(upscaler, jobs, options, skip_existing=skip_existing, json=json)


def _check(
    options: Options,
    inputs: Sequence[Path],
    output: Path | None,
    *,
    skip_existing: bool,
    json: bool,
) -> None:
    """Refuse what contradicts itself before a model is loaded."""
    for path in inputs:
        # A lone - is allowed as an input, so the parser takes misspelt options for inputs too.
        if str(path).startswith("-") and path != STREAM:
            raise InputError(f"{path}: unknown option; see: anamorph upscale --help")
    if options.tile is not None and options.tile < 1:
        raise InputError(f"--tile {options.tile}: must be at least 1 pixel, or auto")
    if options.max_pixels < 1:
        raise InputError("--max-megapixels must be positive")
    check_quality(options.quality)
    if options.force and skip_existing:
        raise InputError("--force and --skip-existing exclude each other; give one")
    if STREAM in inputs and len(inputs) > 1:
        raise InputError("- (standard input) holds one picture; give it alone")
    to_stdout = output == STREAM or (output is None and STREAM in inputs)
    if to_stdout and json:
        raise InputError("--json and the picture cannot share standard output; give -o FILE")
    if output == STREAM and inputs != (STREAM,):
        raise InputError("-o - writes one picture; give it with - (standard input) as the input")
    if output is None or options.format is None or output.suffix.lower() not in SUFFIXES:
        return
    if format_for(output).name != options.format and not output.is_dir():
        raise OutputError(f"{output}: its suffix contradicts --format {options.format}; drop one")


def _upscale_all(
    upscaler: "Upscaler",
    jobs: Sequence[batch.Job],
    options: Options,
    *,
    skip_existing: bool,
    json: bool,
) -> int:
    """Upscale every job, go on past bad files and list them at the end."""
    outcomes: list[Outcome] = []
    with Progress(total=len(jobs), what=f"{upscaler.origin} on {upscaler.device}") as progress:
        for number, job in enumerate(jobs):
            progress.start(number, job.source.name)
            if skip_existing and job.target.exists():
                outcome = Outcome(str(job.source), str(job.target), "skipped")
            else:
                outcome = _attempt(upscaler, job.source, job.target, options, progress.update)
            outcomes.append(outcome)
            if json:
                _print_json(outcome)
            else:
                progress.say(outcome.sentence())
    failed = [outcome for outcome in outcomes if outcome.status == "failed"]
    if failed and (json or len(jobs) > 1):
        print(f"{len(failed)} of {len(jobs)} pictures failed:", file=sys.stderr)
        for outcome in failed:
            print(f"  {outcome.error}", file=sys.stderr)
    return 1 if failed else 0


def _upscale_stdin(
    upscaler: "Upscaler", output: Path | None, options: Options, *, json: bool
) -> int:
    data = sys.stdin.buffer.read()
    if not data:
        raise InputError("standard input is empty; pipe a picture into it")
    if output is not None and output != STREAM:
        outcome = _attempt(upscaler, data, output, options)
        if json:
            _print_json(outcome)
        else:
            print(outcome.sentence(), file=sys.stderr)
        return 1 if outcome.status == "failed" else 0
    from anamorph.picture import Picture

    picture = Picture.open(data, max_pixels=options.max_pixels)
    large = upscaler.upscale(picture, tile=options.tile)
    sys.stdout.buffer.write(large.encode(options.format or "png", quality=options.quality))
    return 0


def _attempt(
    upscaler: "Upscaler",
    source: Path | bytes,
    target: Path,
    options: Options,
    progress: Callable[[float], None] | None = None,
) -> Outcome:
    name = "-" if isinstance(source, bytes) else str(source)
    outcome = Outcome(name, str(target), "failed", model=upscaler.origin, device=upscaler.device)
    begun = time.perf_counter()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        report = upscaler.upscale_file(
            source,
            target,
            tile=options.tile,
            quality=options.quality,
            force=options.force,
            max_pixels=options.max_pixels,
            progress=progress,
        )
    except (AnamorphError, OSError, MemoryError) as error:
        reason = " ".join(str(error).split()) or "out of memory; try a smaller --tile"
        return replace(outcome, error=reason if name in reason else f"{name}: {reason}")
    return replace(
        outcome,
        status="written",
        width=report.width,
        height=report.height,
        seconds=round(time.perf_counter() - begun, 3),
    )


def _print_json(outcome: Outcome) -> None:
    sys.stdout.write(msgspec.json.encode(outcome).decode() + "\n")
    sys.stdout.flush()
