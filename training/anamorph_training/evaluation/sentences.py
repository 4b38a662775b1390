"""Recordings to be measured: within a folder, a name stands for one sentence."""

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from anamorph.errors import InputError
from anamorph_training.data.recordings import find_recordings


def find_sentences(folders: Sequence[Path], *, without: Sequence[str] = ()) -> list[list[Path]]:
    """Return the recordings below each folder, sorted by relative name.

    Args:
        folders: To search.
        without: Patterns of names, without suffix, of recordings to leave out.

    Raises:
        InputError: A folder holds no recording, or two that differ in folder or suffix alone; or a
            pattern fits no recording, or all of a folder are left out.
    """
    found = [find_recordings([folder]) for folder in folders]
    for files in found:
        refuse_doubles(
            files,
            name=lambda path: path.stem,
            reason="a name stands for one sentence; rename one, or measure their folders one at a "
            "time",
        )
    names = [path.stem for files in found for path in files]
    for pattern in without:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise InputError(
                f"--without {pattern}: fits no recording; the first is named {names[0]}"
            )
    kept = [
        [path for path in files if not any(fnmatchcase(path.stem, one) for one in without)]
        for files in found
    ]
    for folder, files in zip(folders, kept, strict=True):
        if not files:
            raise InputError(f"{folder}: --without leaves nothing of it; leave out fewer")
    return kept


def refuse_doubles(paths: Sequence[Path], *, name: Callable[[Path], str], reason: str) -> None:
    """Refuse paths of which two have one name.

    Args:
        paths: Files or folders.
        name: Of a path.
        reason: Why that cannot be, and what helps.

    Raises:
        InputError: Two have one name; the message names both.
    """
    known: dict[str, Path] = {}
    for path in paths:
        if name(path) in known:
            raise InputError(f"{path}: has the name of {known[name(path)]}, and {reason}")
        known[name(path)] = path
