"""Files that are there whole or not at all: a temporary name beside the target, then one rename."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from anamorph.errors import OutputError

_BINARY: Final[int] = getattr(os, "O_BINARY", 0)  # Windows translates line ends without it


def check_target(target: Path, *, force: bool) -> None:
    """Refuse a target that exists, or whose folder is not there.

    Raises:
        OutputError: It is so.
    """
    if target.is_dir():
        raise OutputError(f"{target}: is a folder; give the name of a file in it")
    if not force and os.path.lexists(target):
        raise OutputError(f"{target}: exists already; choose another name, or --force (force=True)")
    if not target.parent.is_dir():
        raise OutputError(f"{target}: its folder does not exist; create {target.parent} first")


@contextlib.contextmanager
def replacing(target: Path, *, force: bool) -> Iterator[int]:
    """Open a temporary file beside ``target`` that takes its name if all goes well.

    Without ``force`` a target that somebody else makes meanwhile stays as it is. Whatever is
    raised, KeyboardInterrupt included, the temporary file goes.

    Yields:
        A descriptor for reading and writing.

    Raises:
        OutputError: The folder cannot be written, the disk is full, or the target exists.
    """
    temporary = hidden_sibling(target, ".part")
    try:
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | _BINARY, 0o666)
        try:
            yield descriptor
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        _rename(temporary, target, force=force)
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise cannot_write(target, error) from None
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(target: Path, data: bytes, *, force: bool) -> None:
    """Write a file that is there whole or not at all.

    Raises:
        OutputError: The folder cannot be written, the disk is full, or the target exists.
    """
    with (
        replacing(target, force=force) as descriptor,
        open(descriptor, "wb", closefd=False) as file,
    ):
        file.write(data)


def hidden_sibling(target: Path, suffix: str) -> Path:
    """Return a name beside ``target`` that nobody else uses."""
    return target.with_name(f".{target.name[:100]}.{secrets.token_hex(6)}{suffix}")


def _rename(temporary: Path, target: Path, *, force: bool) -> None:
    if force:
        temporary.replace(target)
        return
    try:
        target.hardlink_to(temporary)  # unlike a rename it never replaces
    except FileExistsError:
        check_target(target, force=False)
        raise
    except OSError:  # no hard links on this file system
        check_target(target, force=False)
        temporary.replace(target)


def cannot_write(target: Path, error: OSError) -> OutputError:
    """Return the error that says in one line why a file cannot be written."""
    return OutputError(
        f"{target}: cannot be written ({error.strerror or error}); "
        "check the folder's permissions and free space"
    )
