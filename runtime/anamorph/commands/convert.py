"""`anamorph convert`: the same words in another voice."""

import math
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from anamorph import batch
from anamorph.audio_reader import SUFFIXES
from anamorph.audio_writer import BY_SUFFIX, FORMATS, format_of
from anamorph.commands.progress import Progress, locate
from anamorph.commands.running import (
    STREAM,
    Outcome,
    Switch,
    attempt,
    check_places,
    print_json,
    readable,
    run_all,
)
from anamorph.errors import InputError, OutputError, UsageError
from anamorph.providers import Device

if TYPE_CHECKING:
    from anamorph.card import Card
    from anamorph.converter import VoiceConverter

FormatName = Literal["wav", "flac", "ogg", "opus", "mp3"]
Bits = Literal["16", "24", "32", "float"]
RawFormat = Literal["s16le", "s32le", "f32le"]


@dataclass(frozen=True)
class Options:
    """What holds for every recording of a run."""

    gain_db: float | None
    rate: int | None
    keep_channels: bool
    chunk: int | None
    depth: int | str | None
    force: bool
    skip_existing: bool
    format: str | None


@dataclass(frozen=True, kw_only=True)
class RecordingOutcome(Outcome):
    """What became of one recording."""

    duration: float = 0.0
    sample_rate: int = 0
    channels: int = 0
    gain_db: float = 0.0

    def size(self) -> str:
        """Return its length and rate."""
        return f"{self.duration:.1f} s at {self.sample_rate} Hz"


def convert(
    *inputs: Annotated[str, Parameter(allow_leading_hyphen=True)],
    model: Annotated[str, Parameter(alias="-m")],
    output: Annotated[str | None, Parameter(alias="-o", allow_leading_hyphen=True)] = None,
    device: Device = "auto",
    threads: int | None = None,
    gain: Annotated[float | Literal["auto"], Parameter(allow_leading_hyphen=True)] = "auto",
    rate: int | None = None,
    channels: Literal["mix", "keep"] = "mix",
    bits: Bits | None = None,
    chunk: float | Literal["auto"] = "auto",
    format: FormatName | None = None,
    raw: RawFormat | None = None,
    force: Switch = False,
    skip_existing: Switch = False,
    json: Switch = False,
) -> int:
    """Speak the same words in another voice: WAV, FLAC, OGG, Opus and MP3, as long as they were.

    Args:
        inputs: Files, folders (searched recursively), or - for standard input.
        model: Name (see `anamorph models`), path, https:// or hf:// address of a voice.
        output: File, folder, or - for standard output; by default beside each input.
        device: Where to run; auto takes the best that is there.
        threads: CPU threads; by default all cores this process may use.
        gain: dB by which the model hears the recording louder; auto measures its speech. What it
            makes is turned down by as much again.
        rate: Samples per second of the outputs; by default the input's.
        channels: Average all channels, or keep and convert each.
        bits: Depth of WAV and FLAC; by default the input's.
        chunk: Seconds that are converted at once, context included, of which a model has a least;
            shorter needs less memory, same result.
        format: Format of the outputs; by default that of the input (of -o, if it is a file; WAV
            where it is standard output).
        raw: Convert headerless mono samples of --rate from - to - while they come in; --gain is
            then 0 unless given.
        force: Replace outputs that exist.
        skip_existing: Leave outputs that exist, and go on with the others.
        json: Print one JSON object per recording to standard output.
    """
    check_places(inputs, output, what="recording", json=json)
    if force and skip_existing:
        raise UsageError("--force and --skip-existing exclude each other; give one")
    _check_suffix(output, format)
    if raw:
        plain = (bits, format, chunk, channels, force, skip_existing)
        _check_raw(inputs, output, rate, plain=plain == (None, None, "auto", "mix", False, False))
    if chunk != "auto" and not 0 < chunk < 1e6:
        raise UsageError(f"--chunk {chunk:g}: must be a positive number of seconds, or auto")

    from anamorph.loading import load_converter

    converter = load_converter(locate(model), device=device, threads=threads)
    if raw:
        from anamorph.commands.raw_stream import convert_raw

        gain_db = 0.0 if gain == "auto" else gain
        stream = converter.stream(sample_rate=rate, gain_db=gain_db)
        convert_raw(stream, raw, title=f"{converter.origin} on {converter.device}")
        return 0
    options = Options(
        gain_db=None if gain == "auto" else gain,
        rate=rate,
        keep_channels=channels == "keep",
        chunk=None if chunk == "auto" else _in_samples(chunk, converter.card),
        depth=int(bits) if bits and bits.isdigit() else bits,
        force=force,
        skip_existing=skip_existing,
        format=format,
    )
    if STREAM in inputs:
        return _convert_stdin(converter, output, options, json=json)
    jobs = batch.plan(
        [Path(given) for given in inputs],
        output=output,
        mark=f"-{converter.card.name}",
        suffixes=SUFFIXES,
        suffix=FORMATS[format].suffix if format else None,
    )
    return run_all(
        jobs,
        lambda job, progress: _attempt(converter, job.source, job.target, options, progress),
        title=f"{converter.origin} on {converter.device}",
        what="recordings",
        json=json,
    )


def _check_suffix(output: str | None, format: str | None) -> None:
    if output is None or output == STREAM or not format:
        return
    path = Path(output)
    known = path.suffix.lower() in BY_SUFFIX and not path.is_dir()
    if known and format_of(path).name != format:
        raise UsageError(f"-o {output}: its suffix contradicts --format {format}; drop one")


def _check_raw(inputs: Sequence[str], output: str | None, rate: int | None, *, plain: bool) -> None:
    if tuple(inputs) != (STREAM,) or output not in (None, STREAM):
        raise UsageError("--raw goes from standard input to standard output; give - -o -")
    if rate is None:
        raise UsageError("--raw says nothing of the rate; give it: --rate 48000")
    if not plain:
        raise UsageError(
            "--raw goes with none of --bits, --format, --chunk, --channels, --force and "
            "--skip-existing; drop them"
        )


def _in_samples(chunk: float, card: "Card") -> int:
    """Return the length of chunks at the model's rate, if the model can do with it."""
    from anamorph.chunks import geometry_of

    if card.context_before is None or card.context_after is None:
        raise UsageError(f"--chunk {chunk:g}: {card.name} depends on the whole recording; drop it")
    samples = round(chunk * card.sample_rate)
    least = geometry_of(card).least_window
    if samples < least:
        seconds = math.ceil(100 * least / card.sample_rate) / 100
        raise UsageError(f"--chunk {chunk:g}: {card.name} needs at least {seconds:g} seconds")
    return samples


def _convert_stdin(
    converter: "VoiceConverter", output: str | None, options: Options, *, json: bool
) -> int:
    output = None if output == STREAM else output
    if output is None and sys.stdout is None:
        raise OutputError("standard output is closed; give -o FILE")
    import tempfile

    # A recording is read twice and its header completed at the end; a pipe allows neither.
    with tempfile.TemporaryDirectory(prefix="anamorph-") as folder:
        source = Path(folder, "standard input")
        with source.open("wb") as file:
            if sys.stdin is not None:
                shutil.copyfileobj(sys.stdin.buffer, file, 2**20)
        if not source.stat().st_size:
            raise InputError("standard input is empty; pipe a recording into it")
        suffix = FORMATS[options.format or "wav"].suffix
        target = Path(folder, f"converted{suffix}") if output is None else Path(output)
        with Progress(total=1, what=f"{converter.origin} on {converter.device}") as progress:
            outcome = _attempt(converter, source, target, options, progress.update)
        error = outcome.error.replace(readable(source), source.name)
        if output is None:
            if outcome.status == "failed":
                raise InputError(error)
            with target.open("rb") as file:
                shutil.copyfileobj(file, sys.stdout.buffer, 2**20)
            return 0
    outcome = replace(outcome, input=STREAM, error=error)
    if json:
        print_json(outcome)
    else:
        print(outcome.sentence(), file=sys.stderr)
    return 1 if outcome.status == "failed" else 0


def _attempt(
    converter: "VoiceConverter",
    source: Path | bytes,
    target: Path,
    options: Options,
    progress: Callable[[float], None] | None = None,
) -> RecordingOutcome:
    def work(
        source: Path | bytes, target: Path, progress: Callable[[float], None] | None
    ) -> dict[str, Any]:
        report = converter.convert_file(
            source,
            target,
            gain_db=options.gain_db,
            sample_rate=options.rate,
            keep_channels=options.keep_channels,
            chunk=options.chunk,
            format=options.format,
            depth=options.depth,
            force=options.force,
            progress=progress,
        )
        return {
            "duration": round(report.duration, 3),
            "sample_rate": report.sample_rate,
            "channels": report.channels,
            "gain_db": round(report.gain_db, 2),
        }

    return attempt(
        RecordingOutcome,
        source,
        target,
        work,
        skip_existing=options.skip_existing,
        model=converter.origin,
        device=converter.device,
        cure="try a shorter --chunk",
        progress=progress,
    )
