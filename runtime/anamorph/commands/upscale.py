"""`anamorph upscale`: enlarge pictures."""

import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec
from cyclopts import Parameter

from anamorph import batch
from anamorph.commands.progress import Progress, locate
from anamorph.errors import AnamorphError, InputError, OutputError, UsageError
from anamorph.new_file import cannot_write
from anamorph.picture_format import FORMATS, SUFFIXES, format_for
from anamorph.picture_reader import BYTES, MAX_PIXELS
from anamorph.providers import Device

if TYPE_CHECKING:
    from anamorph.upscaler import Upscaler

FormatName = Literal["png", "jpeg", "webp", "tiff", "avif", "gif"]
Switch = Annotated[bool, Parameter(negative=())]

STREAM: Final = "-"


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
    _check_places(inputs, output, options, json=json)

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


def _check_places(
    inputs: Sequence[str], output: str | None, options: Options, *, json: bool
) -> None:
    """Refuse inputs and outputs that contradict each other, before a model is loaded."""
    for given in inputs:
        # A lone - is an input, so the parser takes misspelt options for inputs too.
        if given.startswith("-") and given != STREAM:
            raise UsageError(f"{given}: unknown option (a file of this name is ./{given})")
        if not given:
            raise UsageError("an input is empty; name a file, a folder, or -")
    if STREAM in inputs and len(inputs) > 1:
        raise UsageError("- (standard input) holds one picture; give it alone")
    to_stdout = output == STREAM or (output is None and STREAM in inputs)
    if to_stdout and json:
        raise UsageError("--json and the picture cannot share standard output; give -o FILE")
    if output == STREAM and tuple(inputs) != (STREAM,):
        raise UsageError("-o - writes one picture; give it with - (standard input) as the input")
    if output is None or to_stdout:
        return
    path = Path(output)
    if STREAM in inputs and path.is_dir():
        raise UsageError(f"-o {output}: is a folder; name the file for standard input's picture")
    known = path.suffix.lower() in SUFFIXES and not path.is_dir()
    if options.format and known and format_for(path).name != options.format:
        raise UsageError(f"-o {output}: its suffix contradicts --format {options.format}; drop one")


def _upscale_all(
    upscaler: "Upscaler", jobs: Sequence[batch.Job], options: Options, *, json: bool
) -> int:
    """Upscale every job, go on past bad files and list them at the end."""
    outcomes: list[Outcome] = []
    with Progress(total=len(jobs), what=f"{upscaler.origin} on {upscaler.device}") as progress:
        for number, job in enumerate(jobs):
            progress.start(number, job.source.name)
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
    upscaler: "Upscaler", output: str | None, options: Options, *, json: bool
) -> int:
    if sys.stdin is None or not (data := sys.stdin.buffer.read()):
        raise InputError("standard input is empty; pipe a picture into it")
    if output is not None and output != STREAM:
        outcome = _attempt(upscaler, data, Path(output), options)
        if json:
            _print_json(outcome)
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
) -> Outcome:
    name = STREAM if isinstance(source, bytes) else _readable(source)
    outcome = Outcome(
        name, _readable(target), "failed", model=upscaler.origin, device=upscaler.device
    )
    begun = time.perf_counter()
    try:
        if options.skip_existing and target.exists():
            return replace(outcome, status="skipped")
        if isinstance(source, Path) and target.exists() and target.samefile(source):
            raise OutputError(f"{target}: is the input itself, which is kept; choose another -o")
        with made_folder(target):
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
    except (AnamorphError, OSError, MemoryError) as error:
        reason = " ".join(str(error).split()) or "out of memory; try a smaller --tile"
        reason = reason.replace(BYTES, "standard input")
        return replace(outcome, error=reason if name in reason else f"{name}: {reason}")
    return replace(
        outcome,
        status="written",
        width=report.width,
        height=report.height,
        seconds=round(time.perf_counter() - begun, 3),
    )


@contextmanager
def made_folder(target: Path) -> Iterator[None]:
    """Make the folder of a file that is about to be written; unmake it if that fails.

    Raises:
        OutputError: The folder cannot be made.
    """
    missing = [folder for folder in target.parents if not os.path.lexists(folder)]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(target, error) from None
    try:
        yield
    except BaseException:
        for folder in missing:
            with suppress(OSError):
                folder.rmdir()
        raise


def _readable(path: Path) -> str:
    """Return a path as one line of text, whatever bytes its name has."""
    text = os.fsencode(path).decode(errors="backslashreplace")
    return " ".join(text.split()) if "\n" in text else text


def _print_json(outcome: Outcome) -> None:
    print(msgspec.json.encode(outcome).decode(), flush=True)
