"""Run the server until it is told to stop."""

import socket
from collections.abc import Callable
from contextlib import suppress
from secrets import token_urlsafe
from typing import Any

import uvicorn

from anamorph.errors import UnavailableError
from anamorph_ui.live_socket import MOST_BYTES


def listen(
    app: Any,
    *,
    host: str,
    port: int,
    share: bool,
    report: Callable[[str], None],
    ending: Callable[[], None],
) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Args:
        app: Application.
        host: Address to listen at.
        port: Port; 0 takes a free one.
        share: Also open a public address through Gradio's servers.
        report: Told the addresses, one line each.
        ending: Called when the server shall end, before it waits for what it still does.

    Raises:
        UnavailableError: The address is taken or no address of this machine, or the public one
            cannot be had.
    """
    listener = _bind(host, port)
    port = listener.getsockname()[1]
    shown = f"[{host}]" if ":" in host else host
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=3,
        ws_max_size=MOST_BYTES,
    )
    ready = f"Anamorph is at http://{shown}:{port} (Ctrl-C ends)"
    server = _Server(config, lambda: report(ready), ending)
    if share:
        report(f"for everybody it is at {_share(port)}")
    # uvicorn shuts down, and then passes the signal on: to end so is what it is for.
    with suppress(KeyboardInterrupt, SystemExit):
        server.run(sockets=[listener])


class _Server(uvicorn.Server):
    """Tells when it can be asked, and when it ends."""

    def __init__(
        self, config: uvicorn.Config, ready: Callable[[], None], ending: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._ready, self._ending = ready, ending

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._ending()
        await super().shutdown(sockets)


def _bind(host: str, port: int) -> socket.socket:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(found[0], socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(found[4])
    except OSError as error:
        raise UnavailableError(
            f"{host}:{port}: cannot listen there ({error.strerror}); is another server running? "
            "Give another --port, or 0 for a free one"
        ) from None
    return listener


def _share(port: int) -> str:
    from gradio.networking import setup_tunnel

    try:
        address: str = setup_tunnel("127.0.0.1", port, token_urlsafe(32), None, None)
    except Exception as error:  # whatever a download, a program and a network raise
        raise UnavailableError(
            f"no public address can be had ({error}); go without --share"
        ) from None
    return address
