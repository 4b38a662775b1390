"""What is refused before anything is read: strangers, other sites' pages, and too much."""

import base64
import binascii
import secrets
from collections.abc import Sequence
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_OPEN: Final = ("/healthz",)  # asked by what watches over a server, which knows no password

_OTHER_BYTES: Final = 4_000_000


class TooMuchError(Exception):
    """A body grew beyond what is accepted."""


class Guard:
    """Wraps an application.

    Args:
        app: What is guarded.
        upload_bytes: Greatest body of a request with files, which go to disk. Any other, such as
            JSON, takes many times its size once it is read, and may have 4 MB.
        users: ``name:password`` each; none lets everybody in.
        hosts: Names that the server answers to; none for any. A page of another site that has its
            own name point here is refused by it.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        upload_bytes: int,
        users: Sequence[str] = (),
        hosts: Sequence[str] = (),
    ) -> None:
        self._app = app
        self._upload_bytes = upload_bytes
        self._users = [user.encode() for user in users]
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refusal = self._refuse(scope)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        taken, passed, most = 0, False, self._bound(Headers(scope=scope))

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > most:
                raise TooMuchError
            return message

        async def told(message: Message) -> None:
            nonlocal passed
            # What the application makes of a body that broke off is not what is wrong.
            passed = passed or taken <= most
            if passed:
                await send(message)

        with suppress(TooMuchError):
            await self._app(scope, counted if scope["type"] == "http" else receive, told)
        if not passed and taken > most:
            await _too_much(most)(scope, receive, send)

    def _refuse(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = _name_of(headers.get("host", ""))
        if self._hosts and host not in self._hosts:
            return _error(421, f"this server does not answer to the name {host!r}")
        origin = headers.get("origin")
        if origin is not None and _authority(origin) != headers.get("host", "").lower():
            return _error(403, "pages of other sites may not ask this server")
        if self._users and scope["path"] not in _OPEN and not self._knows(headers):
            refused = _error(401, "a name and a password are needed (curl -u NAME:PASSWORD)")
            refused.headers["www-authenticate"] = 'Basic realm="Anamorph", charset="UTF-8"'
            return refused
        length, most = headers.get("content-length", ""), self._bound(headers)
        if length.isdigit() and int(length) > most:
            return _too_much(most)
        return None

    def _bound(self, headers: Headers) -> int:
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        files = kind == "multipart/form-data"
        return self._upload_bytes if files else min(self._upload_bytes, _OTHER_BYTES)

    def _knows(self, headers: Headers) -> bool:
        kind, _, given = headers.get("authorization", "").partition(" ")
        try:
            user = base64.b64decode(given, validate=True) if kind.lower() == "basic" else b""
        except binascii.Error:
            return False
        # All are compared, so that the time tells nothing of which one fits.
        return sum(secrets.compare_digest(user, known) for known in self._users) > 0


def _too_much(most: int) -> Response:
    return _error(413, f"at most {most / 1e6:.0f} MB are accepted at once")


def _error(status: int, message: str) -> Response:
    return JSONResponse({"error": message}, status)


def _authority(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _name_of(host: str) -> str:
    """Return a Host header's name without the port: ``[::1]:80`` is ``::1``."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
