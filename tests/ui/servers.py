"""A server that listens for the length of a test."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import uvicorn

from anamorph_ui.limits import Limits
from anamorph_ui.live_socket import MOST_BYTES
from anamorph_ui.server import build_server
from anamorph_ui.workshop import Workshop


@dataclass(frozen=True)
class Running:
    """A server, and what asks it."""

    url: str
    client: httpx.Client
    workshop: Workshop


@contextmanager
def running(
    limits: Limits | None = None, *, users: tuple[str, ...] = (), hosts: tuple[str, ...] = ()
) -> Iterator[Running]:
    """Serve on a free port of this machine."""
    before = os.environ.get("GRADIO_TEMP_DIR")  # of a server that goes on beside this one
    workshop = Workshop(limits or Limits(), device="cpu", threads=1)
    config = uvicorn.Config(
        build_server(workshop, users=users, hosts=hosts),
        port=0,
        log_level="warning",
        timeout_graceful_shutdown=1,
        ws_max_size=MOST_BYTES + 1000,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    try:
        with httpx.Client(base_url=url, timeout=60) as client:
            yield Running(url, client, workshop)
    finally:
        server.should_exit = True
        thread.join()
        workshop.close()
        if before is not None:
            os.environ["GRADIO_TEMP_DIR"] = before
