"""Fetch a model from an address once, verify it, and keep it in the cache."""

import hashlib
import http.client
import os
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Generator
from email.message import Message
from http import HTTPStatus
from pathlib import Path
from typing import IO, Any, Final

from anamorph import cache, hub
from anamorph.errors import (
    AnamorphError,
    InputError,
    ModelFileError,
    ModelNotFoundError,
    UnavailableError,
)
from anamorph.file_kind import looks_like
from anamorph.hub import Progress, check_length
from anamorph.model_file import MAX_MODEL_BYTES, read_model

TIMEOUT: Final = 30.0  # seconds without a byte
_CHUNK: Final = 1 << 18
LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_FRAGMENT: Final = re.compile(r"sha256=([0-9a-fA-F]{64})")


def fetch(
    address: str, *, progress: Progress | None = None, max_bytes: int = MAX_MODEL_BYTES
) -> Path:
    """Return the local file of a model, downloaded and verified unless the cache holds it.

    Proxies are honoured as the environment and the system name them.

    Args:
        address: ``https://...`` (``http://`` for this machine alone) or
            ``hf://owner/repo[@revision]/file.onnx``; ``#sha256=<64 digits>`` pins the contents.
        progress: Called as bytes arrive.
        max_bytes: Longest file that is accepted.

    Raises:
        InputError: The address is malformed or not safe.
        ModelNotFoundError: The server has no such file.
        ModelFileError: What came is no Anamorph model, was cut short or differs from the checksum.
        UnavailableError: The server cannot be reached, ``ANAMORPH_OFFLINE`` is set, or the ``hub``
            extra is missing.
        OutputError: The cache cannot be written.
    """
    source, checksum = _parse(address)
    path = cache.entry_path(source)
    if _is_intact(path, checksum):
        return path
    if offline():
        raise UnavailableError(
            f"{source}: is not in the cache (or damaged there) and ANAMORPH_OFFLINE is set; unset "
            "it, or give a path"
        )
    part = cache.new_part()
    try:
        if source.startswith("hf://"):
            hub.download(source, part, progress=progress, max_bytes=max_bytes)
        else:
            _download(source, part, progress, max_bytes)
        if checksum and _sha256(part) != checksum:
            raise ModelFileError(
                f"{source}: what came has SHA-256 {_sha256(part)}, not {checksum}; check the "
                "address or its checksum"
            )
        read_model(part, origin=source)
        return cache.adopt(part, source)
    finally:
        part.unlink(missing_ok=True)


def offline() -> bool:
    """Return whether ``ANAMORPH_OFFLINE`` forbids the network."""
    return os.environ.get("ANAMORPH_OFFLINE", "").lower() not in ("", "0", "false", "no")


def _parse(address: str) -> tuple[str, str]:
    """Return an address without its fragment, and the checksum in it."""
    source, _, fragment = address.partition("#")
    checksum = _FRAGMENT.fullmatch(fragment)
    if fragment and not checksum:
        raise InputError(f"{address}: after # only sha256=<64 hexadecimal digits> can stand")
    if any(character <= " " for character in source):
        raise InputError(f"{source!r}: an address holds no blanks; write %20 for a blank")
    try:
        parts = urllib.parse.urlsplit(source)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise InputError(f"{source}: is no valid address ({error})") from None
    if "@" in parts.netloc and parts.scheme != "hf":
        raise InputError(
            f"{parts.scheme}://...@{host}: an address with a password would be kept in the cache; "
            "leave it out"
        )
    if not _is_safe(source):
        raise InputError(
            f"{source}: models come over https:// or hf:// (http:// from this machine alone)"
        )
    return source, checksum[1].lower() if checksum else ""


def _is_safe(url: str) -> bool:
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == "http":
        return parts.hostname in LOOPBACK
    return parts.scheme in ("https", "hf") and bool(parts.hostname)


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but never from https to anything else nor to an unsafe address."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Any,
        newurl: str,
    ) -> urllib.request.Request | None:
        scheme = urllib.parse.urlsplit(newurl).scheme
        downgraded = req.type == "https" and scheme != "https"
        if scheme == "hf" or downgraded or not _is_safe(newurl):
            raise ModelFileError(
                f"{req.full_url}: the server redirects to {newurl}, which is not safe; give an "
                "https:// address that stays on https://"
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _download(source: str, part: Path, progress: Progress | None, max_bytes: int) -> None:
    """Write what an address serves to a file that is safely on the disk afterwards."""
    chunks = _chunks(source, progress, max_bytes)
    try:
        with part.open("wb") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
    except AnamorphError:
        raise
    except OSError as error:
        raise cache.unwritable(error) from None
    finally:
        chunks.close()


def _chunks(source: str, progress: Progress | None, max_bytes: int) -> Generator[bytes, None, None]:
    """Yield what an address serves, and say plainly what goes wrong on the network."""
    request = urllib.request.Request(source, headers={"User-Agent": "anamorph"})  # noqa: S310
    opener = urllib.request.build_opener(_SafeRedirects)
    try:
        with opener.open(request, timeout=TIMEOUT) as response:
            yield from _body(response, source, progress, max_bytes)
    except AnamorphError:
        raise
    except urllib.error.HTTPError as error:
        raise _http_error(source, error.code, error.reason) from None
    except (http.client.HTTPException, ConnectionError) as error:
        raise ModelFileError(
            f"{source}: the connection broke off ({error or type(error).__name__}); try again"
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise UnavailableError(
            f"{source}: cannot be reached ({reason}); check the address, the network and the "
            "proxy, or give a path"
        ) from None


def _body(
    response: Any, source: str, progress: Progress | None, max_bytes: int
) -> Generator[bytes, None, None]:
    expected = _content_length(response.headers)
    received = 0
    check_length(source, expected, max_bytes)
    while chunk := response.read(_CHUNK):
        if received == 0 and (look := looks_like(chunk[:512])):
            raise ModelFileError(
                f"{source}: the server sent {look}, not an ONNX model; check the address"
            )
        received += len(chunk)
        check_length(source, received, max_bytes)
        yield chunk
        if progress:
            progress(received, expected)
    if expected is not None and received != expected:
        raise ModelFileError(
            f"{source}: the download ended after {received:,} of {expected:,} bytes; try again"
        )
    if not received:
        raise ModelFileError(f"{source}: the server sent nothing; check the address")


def _content_length(headers: Message) -> int | None:
    text = headers.get("Content-Length", "").strip()
    return int(text) if text.isdecimal() else None


def _http_error(source: str, code: int, reason: str) -> AnamorphError:
    if code in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
        return ModelNotFoundError(
            f"{source}: the server has no such file ({code}); check the address"
        )
    if code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return UnavailableError(
            f"{source}: the server refuses access ({code}); download it by other means and give "
            "its path"
        )
    return UnavailableError(f"{source}: the server answers {code} {reason}; try again later")


def _is_intact(path: Path, checksum: str) -> bool:
    """Return whether the cache holds what is wanted; a damaged file is fetched anew."""
    if not path.is_file():
        return False
    try:
        read_model(path)
    except ModelFileError:
        return False
    return not checksum or _sha256(path) == checksum


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
