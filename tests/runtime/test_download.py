import hashlib
import os
import threading
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from tests.runtime.hostile_models import assert_one_line
from tests.runtime.model_server import ModelServer, drop, fail, hang_up, redirect, send
from tests.runtime.tiny_models import tiny_upscaler, upscaler_proto

from anamorph import cache, download
from anamorph.download import fetch
from anamorph.errors import (
    AnamorphError,
    InputError,
    ModelFileError,
    ModelNotFoundError,
    OutputError,
    UnavailableError,
)
from anamorph.loading import resolve
from anamorph.model_file import read_card


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and no proxy."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ANAMORPH_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("ANAMORPH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "models"


@pytest.fixture
def model(tmp_path: Path) -> bytes:
    return tiny_upscaler(tmp_path / "tiny.onnx", name="served").read_bytes()


@pytest.fixture
def server(model: bytes) -> Iterator[ModelServer]:
    with ModelServer({"/model.onnx": send(model)}).running() as server:
        yield server


def _assert_nothing_kept(folder: Path) -> None:
    assert not folder.exists() or not list(folder.iterdir())
    assert cache.entries() == []


def test_downloads_once_and_keeps_the_source(server: ModelServer, model: bytes) -> None:
    address = f"{server.url}/model.onnx"
    calls: list[tuple[int, int | None]] = []
    path = fetch(address, progress=lambda *sizes: calls.append(sizes))
    assert path.read_bytes() == model
    assert calls[-1] == (len(model), len(model))
    assert resolve(address) == path
    assert server.asked == ["/model.onnx"]
    (entry,) = cache.entries()
    assert (entry.source, entry.path, entry.size) == (address, path, len(model))


def test_a_checksum_is_honoured(server: ModelServer, model: bytes, folder: Path) -> None:
    address = f"{server.url}/model.onnx"
    with pytest.raises(ModelFileError, match="what came has SHA-256") as caught:
        fetch(f"{address}#sha256={'0' * 64}")
    assert_one_line(caught, address, "check the address or its checksum")
    _assert_nothing_kept(folder)
    path = fetch(f"{address}#sha256={hashlib.sha256(model).hexdigest().upper()}")
    assert path == fetch(address)


def test_a_cached_file_of_another_checksum_is_replaced(server: ModelServer, tmp_path: Path) -> None:
    address = f"{server.url}/model.onnx"
    fetch(address)
    new = tiny_upscaler(tmp_path / "new.onnx", name="newer").read_bytes()
    server.behaviours["/model.onnx"] = send(new)
    assert read_card(fetch(address)).name == "served"
    assert read_card(fetch(f"{address}#sha256={hashlib.sha256(new).hexdigest()}")).name == "newer"


def test_a_damaged_file_in_the_cache_is_fetched_anew(server: ModelServer, model: bytes) -> None:
    path = fetch(f"{server.url}/model.onnx")
    path.write_bytes(model[:-100])
    assert fetch(f"{server.url}/model.onnx").read_bytes() == model
    assert len(server.asked) == 2


def _bad_behaviours() -> dict[str, tuple[str, str]]:
    return {
        "cut": ("the download ended after", "try again"),
        "lies-long": ("the download ended after", "try again"),
        "lies-short": ("is damaged or no ONNX file", "again"),
        "cut-unannounced": ("is damaged or no ONNX file", "again"),
        "dropped": ("the connection broke off", "try again"),
        "hung-up": ("the connection broke off", "try again"),
        "page": ("the server sent a web page", "check the address"),
        "page-as-model": ("the server sent a web page", "check the address"),
        "picture": ("the server sent a PNG picture", "check the address"),
        "zipped": ("the server sent a gzip archive", "check the address"),
        "empty": ("the server sent nothing", "check the address"),
        "bare": ("carries no Anamorph card", "anamorph export"),
        "changed": ("digest", "again"),
        "endless": ("are accepted", "give its path"),
        "claims-endless": ("are accepted", "give its path"),
    }


@pytest.mark.parametrize("name", _bad_behaviours())
def test_a_bad_answer_is_refused_and_nothing_kept(
    server: ModelServer, model: bytes, folder: Path, name: str
) -> None:
    html = b"<!DOCTYPE html><html><body>Please log in</body></html>"
    changed = bytearray(model)
    changed[len(model) // 3] ^= 1
    server.behaviours |= {
        "/cut": send(model[:1000], length=len(model)),
        "/lies-long": send(model, length=len(model) + 500),
        "/lies-short": send(model, length=len(model) - 500),
        "/cut-unannounced": send(model[:1000], length=None),
        "/dropped": drop(model),
        "/hung-up": hang_up,
        "/page": send(html, kind="text/html"),
        "/page-as-model": send(html),
        "/picture": send(b"\x89PNG\r\n\x1a\n" + bytes(500)),
        "/zipped": send(b"\x1f\x8b" + bytes(500), Content_Encoding="gzip"),
        "/empty": send(b""),
        "/bare": send(upscaler_proto().SerializeToString()),
        "/changed": send(bytes(changed)),
        "/endless": send(model + bytes(2_000_000), length=None),
        "/claims-endless": send(model, length=1 << 40),
    }
    reason, cure = _bad_behaviours()[name]
    with pytest.raises(ModelFileError, match=reason) as caught:
        fetch(f"{server.url}/{name}", max_bytes=1_000_000)
    assert_one_line(caught, f"{server.url}/{name}", cure)
    _assert_nothing_kept(folder)


@pytest.mark.parametrize(
    ("code", "kind", "reason"),
    [
        (404, ModelNotFoundError, "no such file"),
        (410, ModelNotFoundError, "no such file"),
        (401, UnavailableError, "refuses access"),
        (403, UnavailableError, "refuses access"),
        (500, UnavailableError, "answers 500"),
    ],
)
def test_an_error_status_is_told(
    server: ModelServer, folder: Path, code: int, kind: type[AnamorphError], reason: str
) -> None:
    server.behaviours["/bad"] = fail(code)
    with pytest.raises(kind, match=reason) as caught:
        fetch(f"{server.url}/bad")
    assert_one_line(caught, f"{server.url}/bad", "")
    _assert_nothing_kept(folder)


def test_a_refused_connection_is_told(folder: Path) -> None:
    with ModelServer({}).running() as server:
        address = f"{server.url}/model.onnx"
    with pytest.raises(UnavailableError, match="cannot be reached") as caught:
        fetch(address)
    assert_one_line(caught, address, "or give a path")
    _assert_nothing_kept(folder)


def test_a_silent_server_is_given_up(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    release = threading.Event()

    def silent(handler: BaseHTTPRequestHandler) -> None:
        release.wait(10)

    server.behaviours["/silent"] = silent
    monkeypatch.setattr(download, "TIMEOUT", 0.2)
    with pytest.raises(UnavailableError, match="timed out"):
        fetch(f"{server.url}/silent")
    release.set()
    _assert_nothing_kept(folder)


def test_safe_redirects_are_followed(server: ModelServer, model: bytes) -> None:
    server.behaviours["/moved"] = redirect("/model.onnx")
    assert fetch(f"{server.url}/moved").read_bytes() == model


@pytest.mark.parametrize(
    "target",
    ["http://example.org/model.onnx", "ftp://example.org/m.onnx", "file:///etc/passwd", "hf://a/b"],
)
def test_unsafe_redirects_are_refused(server: ModelServer, folder: Path, target: str) -> None:
    server.behaviours["/moved"] = redirect(target)
    with pytest.raises(AnamorphError) as caught:
        fetch(f"{server.url}/moved")
    assert_one_line(caught, f"{server.url}/moved", "")
    assert server.asked == ["/moved"]
    _assert_nothing_kept(folder)


def test_https_never_falls_back_to_http(server: ModelServer) -> None:
    request = urllib.request.Request("https://example.org/model.onnx")
    handler = download._SafeRedirects()
    for target in ("http://example.org/model.onnx", f"{server.url}/model.onnx"):
        with pytest.raises(ModelFileError, match="stays on https://"):
            handler.redirect_request(request, None, 302, "", {}, target)  # type: ignore[arg-type]


def test_endless_redirects_end(server: ModelServer, folder: Path) -> None:
    server.behaviours["/loop"] = redirect("/loop")
    with pytest.raises(UnavailableError, match="302"):
        fetch(f"{server.url}/loop")
    _assert_nothing_kept(folder)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("http://example.org/model.onnx", "https:// or hf://"),
        ("http://127.0.0.1.example.org/model.onnx", "https:// or hf://"),
        ("https:///model.onnx", "https:// or hf://"),
        ("https://[::1/model.onnx", "no valid address"),
        ("https://host:port/model.onnx", "no valid address"),
        ("https://me:secret@example.org/model.onnx", "password"),
        ("https://example.org/my model.onnx", "%20"),
        ("https://example.org/model.onnx#sha256=12", "64 hexadecimal digits"),
        ("https://example.org/model.onnx#md5=12", "64 hexadecimal digits"),
        ("hf://owner", "hf://owner/repo/file.onnx"),
        ("hf://owner/repo/weights.bin", "hf://owner/repo/file.onnx"),
    ],
)
def test_a_bad_address_is_refused(address: str, reason: str, folder: Path) -> None:
    with pytest.raises(InputError, match=reason) as caught:
        fetch(address)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)
    _assert_nothing_kept(folder)


def test_offline_takes_from_the_cache_alone(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"{server.url}/model.onnx"
    monkeypatch.setenv("ANAMORPH_OFFLINE", "1")
    with pytest.raises(
        UnavailableError, match=r"damaged there\) and ANAMORPH_OFFLINE is set"
    ) as caught:
        fetch(address)
    assert_one_line(caught, address, "give a path")
    assert server.asked == []
    monkeypatch.setenv("ANAMORPH_OFFLINE", "0")
    path = fetch(address)
    monkeypatch.setenv("ANAMORPH_OFFLINE", "1")
    assert fetch(address) == path


def test_a_proxy_is_honoured(
    server: ModelServer, model: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = "http://localhost:9/far.onnx"  # nothing listens there
    server.behaviours[far] = send(model)
    monkeypatch.setenv("http_proxy", server.url)
    assert fetch(far).read_bytes() == model
    assert server.asked == [far]


def test_concurrent_downloads_of_one_file_agree(server: ModelServer, model: bytes) -> None:
    barrier = threading.Barrier(8)

    def slow(handler: BaseHTTPRequestHandler) -> None:
        barrier.wait(10)
        send(model)(handler)

    server.behaviours["/slow.onnx"] = slow
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(fetch, [f"{server.url}/slow.onnx"] * 8))
    assert len(set(paths)) == 1
    assert paths[0].read_bytes() == model
    assert len(cache.entries()) == 1
    assert len(list(paths[0].parent.iterdir())) == 2


def test_an_interrupted_download_keeps_nothing(server: ModelServer, folder: Path) -> None:
    def interrupt(received: int, expected: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(f"{server.url}/model.onnx", progress=interrupt)
    _assert_nothing_kept(folder)


def test_an_unwritable_cache_is_named(
    server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("ANAMORPH_CACHE", str(tmp_path / "file"))
    with pytest.raises(OutputError, match="set ANAMORPH_CACHE to another folder") as caught:
        fetch(f"{server.url}/model.onnx")
    assert_one_line(caught, tmp_path / "file", "free space")


def test_a_full_disk_is_named(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left on device"):
        fetch(f"{server.url}/model.onnx")
    _assert_nothing_kept(folder)
