import hashlib
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.runtime.hostile_models import assert_one_line
from tests.runtime.model_server import ModelServer, fail, send
from tests.runtime.tiny_models import tiny_upscaler

from anamorph import cache
from anamorph.download import fetch
from anamorph.errors import AnamorphError, ModelFileError, ModelNotFoundError, UnavailableError

pytest.importorskip("huggingface_hub", reason="needs the hub extra")
constants = importlib.import_module("huggingface_hub.constants")

ADDRESS = "hf://owner/repo/models/tiny.onnx"
PATH = "/owner/repo/resolve/main/models/tiny.onnx"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def model(tmp_path: Path) -> bytes:
    return tiny_upscaler(tmp_path / "tiny.onnx", name="from-the-hub").read_bytes()


@pytest.fixture
def server(model: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelServer]:
    """A hub on this machine with one repository."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "ANAMORPH_OFFLINE", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("ANAMORPH_CACHE", str(tmp_path / "cache"))
    answer = send(model, ETag=f'"{hashlib.sha256(model).hexdigest()}"', X_Repo_Commit=COMMIT)
    with ModelServer({PATH: answer}).running() as server:
        template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        yield server


def test_downloads_once_into_our_own_cache(server: ModelServer, model: bytes) -> None:
    calls: list[tuple[int, int | None]] = []
    path = fetch(ADDRESS, progress=lambda *sizes: calls.append(sizes))
    assert path.read_bytes() == model
    assert calls == [(0, len(model)), (len(model), len(model))]
    (entry,) = cache.entries()
    assert entry.source == ADDRESS
    assert len(list(path.parent.iterdir())) == 2
    server.asked.clear()
    assert fetch(ADDRESS) == path
    assert server.asked == []


def test_a_revision_can_be_named(server: ModelServer, model: bytes) -> None:
    server.behaviours[PATH.replace("main", "v1")] = server.behaviours.pop(PATH)
    assert fetch("hf://owner/repo@v1/models/tiny.onnx").read_bytes() == model


def test_nothing_is_written_to_the_terminal(
    server: ModelServer, capfd: pytest.CaptureFixture[str]
) -> None:
    fetch(ADDRESS)
    assert capfd.readouterr() == ("", "")


def test_a_missing_file_is_told(server: ModelServer) -> None:
    for code in ("EntryNotFound", "RepoNotFound", "RevisionNotFound"):

        def missing(handler: object, code: str = code) -> None:
            handler.send_response(404)  # type: ignore[attr-defined]
            handler.send_header("X-Error-Code", code)  # type: ignore[attr-defined]
            handler.send_header("Content-Length", "0")  # type: ignore[attr-defined]
            handler.end_headers()  # type: ignore[attr-defined]

        server.behaviours[PATH] = missing
        with pytest.raises(ModelNotFoundError, match="the hub has no such file") as caught:
            fetch(ADDRESS)
        assert_one_line(caught, ADDRESS, "hf auth login")


def test_a_failing_or_silent_hub_is_told(server: ModelServer) -> None:
    server.behaviours[PATH] = fail(500)
    with pytest.raises(UnavailableError, match="cannot be reached") as caught:
        fetch(ADDRESS)
    assert_one_line(caught, ADDRESS, "give a path")


def test_a_gated_repository_is_told(server: ModelServer) -> None:
    def gated(handler: object) -> None:
        handler.send_response(403)  # type: ignore[attr-defined]
        handler.send_header("X-Error-Code", "GatedRepo")  # type: ignore[attr-defined]
        handler.send_header("Content-Length", "0")  # type: ignore[attr-defined]
        handler.end_headers()  # type: ignore[attr-defined]

    server.behaviours[PATH] = gated
    with pytest.raises(UnavailableError, match="gated"):
        fetch(ADDRESS)


def test_what_is_no_model_is_not_kept(server: ModelServer) -> None:
    page = b"<html>no model</html>"
    server.behaviours[PATH] = send(page, ETag='"x"', X_Repo_Commit=COMMIT)
    with pytest.raises(ModelFileError, match="a web page") as caught:
        fetch(ADDRESS)
    assert_one_line(caught, ADDRESS, "")
    assert cache.entries() == []
    assert list((cache.cache_folder() / "models").iterdir()) == []


def test_a_file_that_is_too_long_is_refused_before_it_comes(server: ModelServer) -> None:
    with pytest.raises(ModelFileError, match="are accepted"):
        fetch(ADDRESS, max_bytes=100)
    assert server.asked == [PATH]


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ANAMORPH_CACHE", str(tmp_path))
    monkeypatch.delenv("ANAMORPH_OFFLINE", raising=False)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(UnavailableError, match=r"pip install 'anamorph\[hub\]'") as caught:
        fetch(ADDRESS)
    assert_one_line(caught, ADDRESS, "[hub]")


def test_a_repository_name_that_the_hub_forbids_is_told(server: ModelServer) -> None:
    with pytest.raises(AnamorphError) as caught:
        fetch("hf://owner/re--po/tiny.onnx")
    assert_one_line(caught, "hf://owner/re--po/tiny.onnx", "")
