"""Where models that were downloaded are kept, each with the address that it came from."""

import hashlib
import os
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from anamorph.errors import ModelNotFoundError, OutputError

PART_PREFIX: Final = ".part-"
_MODELS: Final = "models"
_SUFFIX: Final = ".onnx"
_NOTE_SUFFIX: Final = ".json"


@dataclass(frozen=True)
class CacheEntry:
    """One model in the cache.

    Attributes:
        source: Address that it was downloaded from.
        path: The file.
        size: Its bytes.
    """

    source: str
    path: Path
    size: int


class _Note(msgspec.Struct, frozen=True):
    """What lies beside each model, so that the folder alone tells where its files came from."""

    source: str


def cache_folder() -> Path:
    """Return ``ANAMORPH_CACHE``, or the platform's folder for caches; it may not exist yet."""
    given = os.environ.get("ANAMORPH_CACHE")
    if given:
        return Path(given).expanduser()
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return (Path(local) if local else Path.home() / "AppData/Local") / "anamorph" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "anamorph"
    given = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(given) if Path(given).is_absolute() else Path.home() / ".cache"
    return base / "anamorph"


def entry_path(source: str) -> Path:
    """Return where the model of an address lies in the cache, or would lie.

    The name keeps what is readable of the address and is safe on every file system.
    """
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", source.split("?", maxsplit=1)[0].rpartition("/")[2])
    stem = stem.removesuffix("-onnx").strip("-")[:60] or "model"
    key = hashlib.sha256(source.encode()).hexdigest()[:16]
    return cache_folder() / _MODELS / f"{stem}-{key}{_SUFFIX}"


def entries() -> list[CacheEntry]:
    """Return what the cache holds, in order of source."""
    found = []
    for path in sorted((cache_folder() / _MODELS).glob(f"[!.]*{_SUFFIX}")):
        try:
            note = msgspec.json.decode(_note_path(path).read_bytes(), type=_Note)
            found.append(CacheEntry(note.source, path, path.stat().st_size))
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            continue  # another process removes or replaces it right now
    return sorted(found, key=lambda entry: entry.source)


def remove(selection: str) -> list[CacheEntry]:
    """Remove models from the cache and return what was removed.

    Args:
        selection: An address, the name of a file in the cache, or ``all``, which also removes what
            killed downloads left behind.

    Raises:
        ModelNotFoundError: The cache holds no such model.
        OutputError: A file cannot be removed.
    """
    source = selection.partition("#")[0]
    everything = selection == "all"
    chosen = [
        entry
        for entry in entries()
        if everything or source in (entry.source, entry.path.name, entry.path.stem)
    ]
    if not chosen and not everything:
        raise ModelNotFoundError(
            f"{selection}: is not in the cache {cache_folder()}; see: anamorph cache list"
        )
    doomed = [path for entry in chosen for path in (entry.path, _note_path(entry.path))]
    if everything:
        doomed += (cache_folder() / _MODELS).glob(f"{PART_PREFIX}*")
    for path in doomed:
        try:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(
                f"{path}: cannot be removed ({error.strerror}); close what uses it"
            ) from None
    return chosen


def new_part() -> Path:
    """Make an empty file in the cache for a download to be written to.

    Raises:
        OutputError: The cache's folder cannot be written.
    """
    folder = cache_folder() / _MODELS
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=PART_PREFIX, dir=folder)
        os.close(handle)
    except OSError as error:
        raise unwritable(error) from None
    return Path(name)


def adopt(part: Path, source: str) -> Path:
    """Give a verified download its name in the cache, in one step, and return it.

    Raises:
        OutputError: The cache's folder cannot be written.
    """
    path = entry_path(source)
    note = new_part()
    try:
        # The note comes first: no moment shows a model of unknown source.
        note.write_bytes(msgspec.json.encode(_Note(source)))
        _replace(note, _note_path(path))
        _replace(part, path)
    except OSError as error:
        raise unwritable(error) from None
    finally:
        note.unlink(missing_ok=True)
    return path


def unwritable(error: OSError) -> OutputError:
    """Return the error that says why the cache cannot be written, and what to do."""
    return OutputError(
        f"{cache_folder()}: the cache cannot be written ({error.strerror or error}); free space or "
        "set ANAMORPH_CACHE to another folder"
    )


def _note_path(path: Path) -> Path:
    return path.with_suffix(_NOTE_SUFFIX)


def _replace(source: Path, target: Path) -> None:
    try:
        source.replace(target)
    except PermissionError:
        # Windows keeps a file that another process has open; that one is as good.
        if sys.platform != "win32" or not target.is_file():
            raise
