"""Several files at once: a zip of what came out, and a line for each that did not."""

import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from anamorph.errors import AnamorphError, InputError
from anamorph_ui.jobs import CalledOffError, Job
from anamorph_ui.workshop import Workshop


def make_all(
    workshop: Workshop,
    job: Job,
    paths: Sequence[Path],
    folder: Path,
    make: Callable[[Job, Path, Path], Path],
) -> tuple[str | None, str]:
    """Make a file of each; those that are refused are listed, and the others go on.

    Args:
        workshop: Where it is done.
        job: What somebody waits for.
        paths: Files that came in.
        folder: For what is made.
        make: Makes one of the job, the file and a folder that is empty.

    Returns:
        A zip, None where nothing came out, and what to say, as Markdown.

    Raises:
        InputError: There are too many.
        CalledOffError: The job was called off.
    """
    most = workshop.limits.files
    if len(paths) > most:
        raise InputError(f"{len(paths)} files at once, {most} are the most; give fewer")
    archive = folder / "anamorph.zip"
    failures: list[str] = []
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as zipped:
        for number, path in enumerate(paths):
            place = folder / str(number)
            place.mkdir()
            try:
                with job.part(number, len(paths)):
                    made = make(job, path, place)
            except CalledOffError:
                raise
            except AnamorphError as error:
                failures.append(workshop.without_folders(str(error)))
                continue
            zipped.write(made, unused_name(made.name, zipped.namelist()))
            made.unlink()
    done = len(paths) - len(failures)
    lines = [f"{done} of {len(paths)} done.", *(f"- {line}" for line in failures)]
    return (str(archive) if done else None), "\n".join(lines)


def unused_name(name: str, names: Sequence[str]) -> str:
    """Return a name, numbered where another file has it."""
    path, number, free = Path(name), 1, name
    while free in names:
        number += 1
        free = f"{path.stem}-{number}{path.suffix}"
    return free
