import sys
from pathlib import Path

import pytest

from anamorph import cache
from anamorph.errors import ModelNotFoundError, OutputError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ANAMORPH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "models"


def _put(source: str, content: bytes = b"model") -> Path:
    part = cache.new_part()
    part.write_bytes(content)
    return cache.adopt(part, source)


def test_an_absent_cache_is_empty(folder: Path) -> None:
    assert cache.entries() == []
    assert cache.remove("all") == []
    assert not folder.exists()


def test_entries_carry_their_source() -> None:
    for name in ("b", "a"):
        path = _put(f"https://example.org/{name}.onnx", name.encode() * 3)
        assert path.read_bytes() == name.encode() * 3
    assert [(entry.source, entry.size) for entry in cache.entries()] == [
        ("https://example.org/a.onnx", 3),
        ("https://example.org/b.onnx", 3),
    ]


def test_the_same_file_name_from_two_places_is_kept_apart() -> None:
    assert _put("https://one.org/a.onnx") != _put("https://two.org/a.onnx")
    assert len(cache.entries()) == 2


@pytest.mark.parametrize(
    "source",
    [
        "https://example.org/a/con.onnx",
        "https://example.org/../../etc/passwd",
        "https://example.org/a:b*c?d=|<>.onnx",
        "https://example.org/%2e%2e%2f%00.onnx",
        "https://example.org/" + "x" * 500 + ".onnx",
        "https://example.org/",
        "hf://owner/repo/käse.onnx",
    ],
)
def test_names_are_safe_on_every_file_system(source: str, folder: Path) -> None:
    path = cache.entry_path(source)
    assert path.parent == folder
    assert len(path.name) < 100
    assert path.stem.replace("-", "").replace("_", "").isalnum()
    assert path.name.isascii()
    assert _put(source) == path


def test_removes_by_source_by_file_and_all() -> None:
    sources = [f"https://example.org/{name}.onnx" for name in "abcd"]
    paths = [_put(source) for source in sources]
    assert [entry.source for entry in cache.remove(sources[0])] == sources[:1]
    assert [entry.source for entry in cache.remove(paths[1].name)] == sources[1:2]
    assert [entry.source for entry in cache.remove(f"{sources[2]}#sha256={'0' * 64}")] == [
        sources[2]
    ]
    assert [entry.source for entry in cache.entries()] == sources[3:]
    assert len(cache.remove("all")) == 1
    assert list(paths[0].parent.iterdir()) == []


def test_removing_what_is_not_there_points_to_the_list() -> None:
    with pytest.raises(ModelNotFoundError, match="anamorph cache list"):
        cache.remove("https://example.org/none.onnx")


def test_remains_of_killed_downloads_are_no_entries_and_go_with_all(folder: Path) -> None:
    cache.new_part()
    (folder / f"{cache.PART_PREFIX}folder").mkdir()
    (folder / f"{cache.PART_PREFIX}folder" / "file.onnx").write_bytes(b"")
    (folder / "orphan.onnx").write_bytes(b"")
    assert cache.entries() == []
    cache.remove("all")
    assert [path.name for path in folder.iterdir()] == ["orphan.onnx"]


def test_a_file_that_cannot_be_removed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    _put("https://example.org/a.onnx")

    def refuse(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(OutputError, match=r"cannot be removed \(Permission denied\)"):
        cache.remove("all")


def test_a_model_in_use_on_windows_is_left_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    path = _put("https://example.org/a.onnx")

    def refuse(source: Path, target: Path) -> None:
        raise PermissionError(13, "in use")

    monkeypatch.setattr(Path, "replace", refuse)
    monkeypatch.setattr(sys, "platform", "win32")
    assert _put("https://example.org/a.onnx") == path
    with pytest.raises(OutputError, match="in use"):
        _put("https://example.org/new.onnx")


@pytest.mark.parametrize(
    ("platform", "variable", "value", "expected"),
    [
        ("linux", "XDG_CACHE_HOME", "/var/x", Path("/var/x/anamorph")),
        ("linux", "XDG_CACHE_HOME", "relative", Path.home() / ".cache/anamorph"),
        ("darwin", "XDG_CACHE_HOME", "", Path.home() / "Library/Caches/anamorph"),
        ("win32", "LOCALAPPDATA", "/local", Path("/local/anamorph/Cache")),
        ("win32", "LOCALAPPDATA", "", Path.home() / "AppData/Local/anamorph/Cache"),
        ("linux", "ANAMORPH_CACHE", "~/mine", Path.home() / "mine"),
    ],
)
def test_the_folder_follows_the_platform(
    monkeypatch: pytest.MonkeyPatch, platform: str, variable: str, value: str, expected: Path
) -> None:
    monkeypatch.delenv("ANAMORPH_CACHE")
    monkeypatch.setenv(variable, value)
    monkeypatch.setattr(sys, "platform", platform)
    assert cache.cache_folder() == expected
