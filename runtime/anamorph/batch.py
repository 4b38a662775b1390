"""Which output each input of a batch is written to: files, folders and their trees.

Only paths are decided here; nothing is read or written.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from anamorph.errors import InputError, UsageError


@dataclass(frozen=True)
class Job:
    """One input and the output it is written to."""

    source: Path
    target: Path


def plan(
    inputs: Sequence[Path],
    *,
    output: str | None,
    mark: str,
    suffixes: frozenset[str],
    suffix: str | None = None,
) -> list[Job]:
    """Pair each input file with its output, in a stable order.

    Args:
        inputs: Files and folders; folders are searched recursively, hidden files left out.
        output: A folder if it is one, ends in a separator or has no suffix, or if there is more
            than one file to write; otherwise a file. None writes beside each input, with ``mark``
            added to the name.
        mark: Addition to the name of what is written beside its input, such as ``-x4``.
        suffixes: Lower-case suffixes, with their dot, of the files that a folder is searched for.
        suffix: Suffix of every output; None keeps the input's.

    Raises:
        InputError: An input is missing, a folder holds nothing to do, or two inputs would be
            written to one output.
        UsageError: There is no input, or ``output`` names one file for several inputs.
    """
    if not inputs:
        raise UsageError("no input given; name a file, a folder, or - for standard input")
    root = None if output is None else Path(output)
    jobs: list[Job] = []
    for given in inputs:
        try:
            is_folder, exists = given.is_dir(), given.exists()
        except OSError as error:
            raise InputError(f"{given}: {error.strerror}; check its permissions") from None
        if not exists:
            raise InputError(f"{given}: no such file or folder; check the path")
        if is_folder:
            jobs += _folder_jobs(given, root, mark=mark, suffixes=suffixes, suffix=suffix)
        else:
            jobs.append(_file_job(given, root, mark=mark, suffix=suffix))
    if output is not None and names_a_file(output):
        if len(inputs) > 1 or inputs[0].is_dir():
            raise UsageError(f"-o {output}: names one file for several inputs; give a folder")
        return [Job(inputs[0], Path(output))]
    refuse_collisions(jobs)
    return jobs


def names_a_file(output: str) -> bool:
    """Tell whether an output is the name of a file, and not of a folder."""
    path = Path(output)
    return bool(path.suffix) and not output.endswith(("/", os.sep)) and not path.is_dir()


def _folder_jobs(
    given: Path,
    root: Path | None,
    *,
    mark: str,
    suffixes: frozenset[str],
    suffix: str | None,
) -> list[Job]:
    named = given if given.name not in {"", ".."} else given.resolve()
    target_root = root or named.with_name(named.name + mark)
    jobs = []
    for source in _walk(given, leave_out=target_root, suffixes=suffixes):
        target = target_root / source.relative_to(given)
        jobs.append(Job(source, target.with_suffix(suffix or target.suffix)))
    return jobs


def _file_job(given: Path, root: Path | None, *, mark: str, suffix: str | None) -> Job:
    kept = suffix or given.suffix
    name = given.stem + kept if root else given.stem + mark + kept
    return Job(given, (root or given.parent) / name)


def _walk(folder: Path, *, leave_out: Path, suffixes: frozenset[str]) -> Iterator[Path]:
    skipped = _resolved(leave_out)
    found = 0
    for parent, folders, files in os.walk(folder, onerror=_raise):
        here = Path(parent)
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and _resolved(here / name) != skipped
        )
        for name in sorted(files):
            if not name.startswith(".") and Path(name).suffix.lower() in suffixes:
                found += 1
                yield here / name
    if not found:
        accepted = " ".join(sorted(suffixes))
        raise InputError(f"{folder}: holds no file to work on; accepted are {accepted}")


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # a loop of links
        return path


def _raise(error: OSError) -> None:
    raise InputError(f"{error.filename}: {error.strerror}; check its permissions")


def refuse_collisions(jobs: Sequence[Job]) -> None:
    """Refuse two inputs that would be written to one output.

    Raises:
        InputError: There are such.
    """
    writers: dict[Path, Path] = {}
    for job in jobs:
        first = writers.setdefault(job.target, job.source)
        if first is not job.source:
            raise InputError(
                f"{first} and {job.source} would both be written to {job.target}; "
                "rename one, or convert them in two runs with different -o"
            )
