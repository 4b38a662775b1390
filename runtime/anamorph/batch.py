"""Which output each input of a batch is written to: files, folders and their trees.

Only paths are decided here; nothing is read or written.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from anamorph.errors import InputError


@dataclass(frozen=True)
class Job:
    """One input and the output it is written to."""

    source: Path
    target: Path


def plan(
    inputs: Sequence[Path],
    *,
    output: Path | None,
    mark: str,
    suffixes: frozenset[str],
    suffix: str | None = None,
) -> list[Job]:
    """Pair each input file with its output, in a stable order.

    Args:
        inputs: Files and folders; folders are searched recursively, hidden files left out.
        output: A file (one input file and a known suffix), otherwise a folder; None writes
            beside each input, with ``mark`` added to the name.
        mark: Addition to the name of what is written beside its input, such as ``-x4``.
        suffixes: Lower-case suffixes, with their dot, of the files that a folder is searched for.
        suffix: Suffix of every output; None keeps the input's.

    Raises:
        InputError: An input is missing, a folder holds nothing to do, or two inputs would be
            written to one output.
    """
    if not inputs:
        raise InputError("no input given; name a file, a folder, or - for standard input")
    if output is not None and _names_a_file(inputs, output, suffixes):
        return [Job(inputs[0], output)]
    jobs = []
    for given in inputs:
        if given.is_dir():
            root = output or given.with_name(given.name + mark)
            for source in _walk(given, leave_out=root, suffixes=suffixes):
                target = root / source.relative_to(given)
                jobs.append(Job(source, target.with_suffix(suffix or target.suffix)))
        elif not given.exists():
            raise InputError(f"{given}: no such file or folder; check the path")
        else:
            kept = suffix or given.suffix
            name = given.stem + kept if output else given.stem + mark + kept
            jobs.append(Job(given, (output or given.parent) / name))
    _refuse_collisions(jobs)
    return jobs


def _names_a_file(inputs: Sequence[Path], output: Path, suffixes: frozenset[str]) -> bool:
    one_file = len(inputs) == 1 and not inputs[0].is_dir()
    return one_file and output.suffix.lower() in suffixes and not output.is_dir()


def _walk(folder: Path, *, leave_out: Path, suffixes: frozenset[str]) -> Iterator[Path]:
    skipped = leave_out.resolve()
    found = 0
    for parent, folders, files in os.walk(folder, onerror=_raise):
        here = Path(parent)
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and (here / name).resolve() != skipped
        )
        for name in sorted(files):
            if not name.startswith(".") and Path(name).suffix.lower() in suffixes:
                found += 1
                yield here / name
    if not found:
        accepted = " ".join(sorted(suffixes))
        raise InputError(f"{folder}: holds no file to work on; accepted are {accepted}")


def _raise(error: OSError) -> None:
    raise InputError(f"{error.filename}: {error.strerror}; check its permissions")


def _refuse_collisions(jobs: Sequence[Job]) -> None:
    writers: dict[Path, Path] = {}
    for job in jobs:
        first = writers.setdefault(job.target, job.source)
        if first is not job.source:
            raise InputError(
                f"{first} and {job.source} would both be written to {job.target}; "
                "rename one, or convert them in two runs with different -o"
            )
