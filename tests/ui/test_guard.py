"""Who is let in, and how much they may send."""

from collections.abc import Iterator

import pytest
from tests.ui.servers import Running, running

from anamorph.download import LOOPBACK
from anamorph_ui.limits import Limits


@pytest.fixture(scope="module")
def guarded() -> Iterator[Running]:
    """A server that asks for a password, answers to its own name and takes 100 kB."""
    limits = Limits(upload_bytes=100_000)
    with running(limits, users=("me:secret", "you:other"), hosts=LOOPBACK) as one:
        yield one


ME = ("me", "secret")


@pytest.mark.parametrize("path", ["/", "/v1/models", "/docs", "/gradio_api/info", "/config"])
def test_nothing_is_told_without_a_password(guarded: Running, path: str) -> None:
    found = guarded.client.get(path)
    assert found.status_code == 401
    assert found.headers["www-authenticate"].startswith("Basic ")
    assert guarded.client.get(path, auth=("me", "wrong")).status_code == 401
    assert guarded.client.get(path, auth=ME).status_code == 200
    assert guarded.client.get(path, auth=("you", "other")).status_code == 200


def test_what_is_no_password_is_refused(guarded: Running) -> None:
    for given in ("", "Basic", "Basic %%%", "Basic bWU=", "Bearer bWU6c2VjcmV0"):
        assert guarded.client.get("/", headers={"Authorization": given}).status_code == 401


def test_whoever_watches_needs_no_password(guarded: Running) -> None:
    assert guarded.client.get("/healthz").json()["status"] == "ok"


def test_other_names_are_not_answered_to(guarded: Running) -> None:
    found = guarded.client.get("/", auth=ME, headers={"Host": "evil.example"})
    assert found.status_code == 421
    assert "'evil.example'" in found.json()["error"]
    for name in ("localhost:80", "127.0.0.1", "[::1]:7860"):
        assert guarded.client.get("/", auth=ME, headers={"Host": name}).status_code == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:1", "http://[x", ""]
)
def test_pages_of_other_sites_are_refused(guarded: Running, origin: str) -> None:
    found = guarded.client.post("/v1/upscale", auth=ME, headers={"Origin": origin})
    assert found.status_code == 403


def test_the_page_itself_may_ask(guarded: Running) -> None:
    found = guarded.client.get("/v1/models", auth=ME, headers={"Origin": guarded.url})
    assert found.status_code == 200


def test_too_much_is_refused_whether_or_not_its_size_is_told(guarded: Running) -> None:
    files = {"file": ("large.png", b"\0" * 200_000)}
    found = guarded.client.post("/v1/upscale", auth=ME, files=files)
    assert (found.status_code, found.json()["error"]) == (
        413,
        "at most 0 MB are accepted at once",
    )

    def pieces() -> Iterator[bytes]:
        yield b'--x\r\ncontent-disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
        for _ in range(20):
            yield b"\0" * 10_000

    headers = {"content-type": "multipart/form-data; boundary=x"}
    found = guarded.client.post("/v1/upscale", auth=ME, headers=headers, content=pieces())
    assert found.status_code == 413


@pytest.mark.parametrize("kind", ["application/json", "application/vnd.api+json", "", "text/plain"])
def test_what_holds_no_files_is_kept_small(kind: str) -> None:
    with running() as one:
        body = b'{"observed": "' + b"1," * 2_100_000 + b'1", "expected": "1"}'
        found = one.client.post("/v1/divergence", content=body, headers={"content-type": kind})
        assert (found.status_code, found.json()["error"]) == (
            413,
            "at most 4 MB are accepted at once",
        )
