"""Fetch a model from the Hugging Face hub, through its own client (extra ``hub``)."""

import contextlib
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Final

from anamorph import cache
from anamorph.errors import (
    AnamorphError,
    InputError,
    ModelFileError,
    ModelNotFoundError,
    UnavailableError,
)

Progress = Callable[[int, int | None], None]
"""Called with the bytes received and the bytes expected, None where the server does not tell."""

_ADDRESS: Final = re.compile(
    r"hf://(?P<repo>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+?))?/(?P<file>[^@]+\.onnx)"
)


def download(source: str, part: Path, *, progress: Progress | None, max_bytes: int) -> None:
    """Write a file of the hub to a path.

    The hub's token, endpoint and proxy come from its own environment variables.

    Args:
        source: ``hf://owner/repo[@revision]/file.onnx``.
        part: File to write.
        progress: Called at the start and at the end.
        max_bytes: Longest file that is accepted.

    Raises:
        InputError: The address is malformed.
        ModelNotFoundError: The hub has no such file.
        ModelFileError: The file is too long.
        UnavailableError: The ``hub`` extra is missing, or the hub cannot be reached.
        OutputError: The cache cannot be written.
    """
    match = _ADDRESS.fullmatch(source)
    if not match:
        raise InputError(f"{source}: write it as hf://owner/repo/file.onnx")
    hub = _import_hub(source)
    place = {"repo_id": match["repo"], "revision": match["revision"], "filename": match["file"]}
    try:
        url = hub.hf_hub_url(**place)
        size = hub.get_hf_file_metadata(url).size
        check_length(source, size, max_bytes)
        if progress:
            progress(0, size)
        # The hub's own cache would keep a second copy, which `anamorph cache` knows nothing of.
        scratch = tempfile.TemporaryDirectory(prefix=cache.PART_PREFIX, dir=part.parent)
        with scratch as folder, _without_bar(hub):
            Path(hub.hf_hub_download(**place, local_dir=folder)).replace(part)
        if progress and size:
            progress(size, size)
    except AnamorphError:
        raise
    except Exception as error:
        raise _explained(source, hub, error) from None


@contextlib.contextmanager
def _without_bar(hub: ModuleType) -> Iterator[None]:
    """Keep the hub's own progress bar off the terminal: only our command line writes there."""
    shown = not hub.utils.are_progress_bars_disabled()
    hub.utils.disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            hub.utils.enable_progress_bars()


def check_length(source: str, length: int | None, max_bytes: int) -> None:
    """Refuse a file that is longer than what is accepted.

    Raises:
        ModelFileError: It is.
    """
    if length is not None and length > max_bytes:
        raise ModelFileError(
            f"{source}: has at least {length:,} bytes, {max_bytes:,} are accepted; download it by "
            "other means and give its path"
        )


def _import_hub(source: str) -> ModuleType:
    try:
        import huggingface_hub
        import huggingface_hub.errors
        import huggingface_hub.utils
    except ImportError:
        raise UnavailableError(
            f"{source}: hf:// needs an extra; run: pip install 'anamorph[hub]'"
        ) from None
    module: ModuleType = huggingface_hub
    return module


def _explained(source: str, hub: ModuleType, error: Exception) -> AnamorphError:
    errors = hub.errors
    reason = " ".join(str(error).split())[:200]
    if isinstance(error, errors.GatedRepoError):
        return UnavailableError(
            f"{source}: the repository is gated; accept its terms on the hub, then: hf auth login"
        )
    missing = (errors.RepositoryNotFoundError, errors.RevisionNotFoundError)
    if isinstance(error, missing) or (
        isinstance(error, errors.EntryNotFoundError)
        and not isinstance(error, errors.LocalEntryNotFoundError)
    ):
        return ModelNotFoundError(
            f"{source}: the hub has no such file; check owner, repository and file, or if it is "
            "private: hf auth login"
        )
    if isinstance(error, errors.HFValidationError):
        return InputError(
            f"{source}: is no valid address ({reason}); write hf://owner/repo/file.onnx"
        )
    if type(error) is OSError or isinstance(error, PermissionError):
        return cache.unwritable(error)
    return UnavailableError(
        f"{source}: the hub cannot be reached ({reason}); check the network and the proxy, or give "
        "a path"
    )
