"""An HTTP server on this machine that serves models, well or badly."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Behaviour = Callable[[BaseHTTPRequestHandler], None]


class ModelServer:
    """Serves each path by a behaviour, and notes what was asked of it.

    Attributes:
        url: Address without a path.
        asked: Request lines' targets, in order.
    """

    def __init__(self, behaviours: dict[str, Behaviour]) -> None:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked.append(self.path)
                behaviour = server.behaviours.get(self.path.split("?")[0])
                if behaviour:
                    behaviour(self)
                else:
                    self.send_error(404)

            do_HEAD = do_GET  # noqa: N815

            def log_message(self, *args: Any) -> None:
                pass

        self.behaviours = behaviours
        self.asked: list[str] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    @contextmanager
    def running(self) -> Iterator["ModelServer"]:
        """Serve until the block ends."""
        thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._http.shutdown()
            self._http.server_close()
            thread.join()


def send(
    body: bytes, *, length: int | None = -1, kind: str = "application/octet-stream", **headers: str
) -> Behaviour:
    """Answer with a body.

    Args:
        body: What is sent.
        length: Content-Length to claim; -1 claims the truth, None nothing.
        kind: Content-Type.
        headers: More headers, with _ for -.
    """

    def behaviour(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", kind)
        if length is not None:
            handler.send_header("Content-Length", str(len(body) if length == -1 else length))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        if handler.command == "GET":
            handler.wfile.write(body)

    return behaviour


def redirect(target: str) -> Behaviour:
    """Answer with a redirect."""

    def behaviour(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", target)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return behaviour


def drop(body: bytes) -> Behaviour:
    """Promise chunks without end, send one and hang up."""

    def behaviour(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            + b"%x\r\n" % len(body)
            + body[: len(body) // 2]
        )
        handler.close_connection = True

    return behaviour


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    """Close the connection without an answer."""
    handler.close_connection = True


def fail(code: int) -> Behaviour:
    """Answer with an error status."""
    return lambda handler: handler.send_error(code)
