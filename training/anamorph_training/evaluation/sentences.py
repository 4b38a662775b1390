"""Recordings to be measured: within a folder, a name stands for one sentence."""

from collections.abc import Sequence
from pathlib import Path

from anamorph.errors import InputError
from anamorph_training.data.recordings import find_recordings


def find_sentences(folders: Sequence[Path]) -> list[list[Path]]:
    """Return the recordings below each folder, sorted by relative name.

    Raises:
        InputError: A folder holds no recording, or two that differ in folder or suffix alone.
    """
    found = []
    for folder in folders:
        files = find_recordings([folder])
        known: dict[str, Path] = {}
        for path in files:
            if path.stem in known:
                raise InputError(
                    f"{path}: has the name of {known[path.stem]}, and a name stands for one "
                    "sentence; rename one, or measure their folders one at a time"
                )
            known[path.stem] = path
        found.append(files)
    return found
