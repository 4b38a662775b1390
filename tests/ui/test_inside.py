"""The page reads no file but those that were uploaded to it, and fetches nothing."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from tests.ui.servers import Running

from anamorph_ui.samples import SENTENCE


class _Counting(BaseHTTPRequestHandler):
    asked = 0

    def do_GET(self) -> None:
        type(self).asked += 1
        self.send_response(200)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def elsewhere() -> Iterator[str]:
    _Counting.asked = 0
    with HTTPServer(("127.0.0.1", 0), _Counting) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{other.server_address[1]}/me.wav"
        other.shutdown()


def ask(server: Running, path: str) -> str:
    """Ask for a file to be converted that was not uploaded; return what is answered."""
    given = {"path": path, "meta": {"_type": "gradio.FileData"}}
    data = {"data": [given, "nathalie", "wav"]}
    begun = server.client.post("/gradio_api/call/convert", json=data)
    assert begun.status_code == 200
    return server.client.get(f"/gradio_api/call/convert/{begun.json()['event_id']}").text


@pytest.mark.parametrize("path", [str(SENTENCE), "/etc/passwd", "/dev/zero", "../../etc/passwd"])
def test_files_that_were_not_uploaded_are_not_read(server: Running, path: str) -> None:
    said = ask(server, path)
    assert "event: error" in said
    assert "complete" not in said
    assert "is no recording" not in said  # which would tell that it was looked at
    assert server.client.get("/healthz", timeout=5).status_code == 200


def test_addresses_are_not_fetched(
    server: Running, elsewhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = ask(server, elsewhere)
    assert "event: error" in said
    assert _Counting.asked == 0
    assert "event: error" in ask(server, "https://example.com/me.wav")
