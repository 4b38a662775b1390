"""What verbs that turn files into files share: places, outcomes, and batches that go on."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from cyclopts import Parameter

from anamorph import batch
from anamorph.commands.progress import Progress
from anamorph.errors import AnamorphError, OutputError, UsageError
from anamorph.new_file import cannot_write

Switch = Annotated[bool, Parameter(negative=())]

STREAM: Final = "-"
BYTES: Final = "(bytes)"  # what readers call the content of standard input


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one input, as `--json` prints it."""

    input: str
    output: str
    status: Literal["written", "skipped", "failed"]
    seconds: float = 0.0
    model: str = ""
    device: str = ""
    error: str = ""

    def size(self) -> str:
        """Return how large the output is, for people."""
        return ""

    def sentence(self) -> str:
        """Return the outcome as one line for people."""
        if self.status == "failed":
            return f"failed   {self.error}"
        if self.status == "skipped":
            return f"skipped  {self.output} exists"
        size = f"{self.size()}, {self.seconds:.2f} s"
        return f"written  {self.output}  ({size}, {self.model} on {self.device})"


Result = TypeVar("Result", bound=Outcome)
Work = Callable[[Path | bytes, Path, Callable[[float], None] | None], dict[str, Any]]
"""Turns an input into an output, tells its progress, and returns what the outcome says of it."""


def check_places(inputs: Sequence[str], output: str | None, *, what: str, json: bool) -> None:
    """Refuse inputs and outputs that contradict each other, before a model is loaded.

    Args:
        inputs: As they were given.
        output: As it was given.
        what: One of the things that go in, such as ``picture``.
        json: Whether standard output is taken.

    Raises:
        UsageError: They do.
    """
    for given in inputs:
        # A lone - is an input, so the parser takes misspelt options for inputs too.
        if given.startswith("-") and given != STREAM:
            raise UsageError(f"{given}: unknown option (a file of this name is ./{given})")
        if not given:
            raise UsageError("an input is empty; name a file, a folder, or -")
    if STREAM in inputs and len(inputs) > 1:
        raise UsageError(f"- (standard input) holds one {what}; give it alone")
    to_stdout = output == STREAM or (output is None and STREAM in inputs)
    if to_stdout and json:
        raise UsageError(f"--json and the {what} cannot share standard output; give -o FILE")
    if output == STREAM and tuple(inputs) != (STREAM,):
        raise UsageError(f"-o - writes one {what}; give it with - (standard input) as the input")
    if to_stdout and sys.stdout is not None and sys.stdout.isatty():
        raise UsageError(f"the {what} would go onto the terminal; give -o FILE, or pipe it on")
    if STREAM in inputs and output is not None and not to_stdout and Path(output).is_dir():
        raise UsageError(f"-o {output}: is a folder; name the file for standard input's {what}")


def run_all(
    jobs: Sequence[batch.Job],
    attempt: Callable[[batch.Job, Callable[[float], None]], Outcome],
    *,
    title: str,
    what: str,
    json: bool,
) -> int:
    """Work on every job, go on past bad files and list them at the end; return the exit code.

    Args:
        jobs: What to do.
        attempt: Does one, and raises nothing that a bad file can cause.
        title: For the bar.
        what: Several of the things that go in, such as ``pictures``.
        json: Print one JSON object for each.
    """
    outcomes: list[Outcome] = []
    with Progress(total=len(jobs), what=title) as progress:
        for number, job in enumerate(jobs):
            progress.start(number, job.source.name)
            outcome = attempt(job, progress.update)
            outcomes.append(outcome)
            if json:
                print_json(outcome)
            else:
                progress.say(outcome.sentence())
    failed = [outcome for outcome in outcomes if outcome.status == "failed"]
    if failed and (json or len(jobs) > 1):
        print(f"{len(failed)} of {len(jobs)} {what} failed:", file=sys.stderr)
        for outcome in failed:
            print(f"  {outcome.error}", file=sys.stderr)
    return 1 if failed else 0


def attempt(
    kind: type[Result],
    source: Path | bytes,
    target: Path,
    work: Work,
    *,
    skip_existing: bool,
    model: str,
    device: str,
    cure: str,
    progress: Callable[[float], None] | None = None,
) -> Result:
    """Do one job, and say what became of it.

    Args:
        kind: Of outcome.
        source: Input, or the content of standard input.
        target: Output.
        work: What is done.
        skip_existing: Leave a target that exists.
        model: Name and version.
        device: What it runs on.
        cure: What helps where memory runs out.
        progress: Told of the fraction done.
    """
    name = STREAM if isinstance(source, bytes) else readable(source)
    outcome = kind(input=name, output=readable(target), status="failed", model=model, device=device)
    begun = time.perf_counter()
    try:
        if skip_existing and target.exists():
            return replace(outcome, status="skipped")
        if isinstance(source, Path) and target.exists() and target.samefile(source):
            raise OutputError(f"{target}: is the input itself, which is kept; choose another -o")
        with made_folder(target):
            facts = work(source, target, progress)
    except (AnamorphError, OSError, MemoryError) as error:
        reason = " ".join(str(error).split()) or f"out of memory; {cure}"
        reason = readable(reason.replace(BYTES, "standard input"))
        return replace(outcome, error=reason if name in reason else f"{name}: {reason}")
    seconds = round(time.perf_counter() - begun, 3)
    return replace(outcome, status="written", seconds=seconds, **facts)


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


def readable(path: Path | str) -> str:
    """Return a path, or what is said of it, as one line of text, whatever bytes its name has."""
    text = os.fsencode(path).decode(errors="backslashreplace")
    return " ".join(text.split()) if "\n" in text else text


def print_json(outcome: Outcome) -> None:
    """Print an outcome as one line of JSON."""
    print(msgspec.json.encode(outcome).decode(), flush=True)
