import hashlib
import json
from pathlib import Path

import pytest
from tests.runtime.tiny_models import tiny_upscaler

from anamorph import manifest
from anamorph.errors import ModelFileError, ModelNotFoundError


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A zoo of three models, one in two versions."""
    folder = tmp_path / "zoo"
    tiny_upscaler(folder / "photo-x4-1.onnx", name="photo-x4")
    tiny_upscaler(folder / "photo-x4-2.onnx", name="photo-x4", model_version=2)
    tiny_upscaler(folder / "photo-x2-1.onnx", name="photo-x2")
    tiny_upscaler(folder / "anime-x4-1.onnx", name="anime-x4")
    manifest.write_manifest(folder)
    monkeypatch.setattr(manifest, "ZOO", folder)
    return folder


def test_the_shipped_manifest_is_true_of_the_shipped_files() -> None:
    for entry in manifest.models():
        if entry.path.exists():
            assert manifest.describe(entry.path, url=entry.url) == entry
        else:
            assert entry.url
    shipped = {path.name for path in manifest.ZOO.glob("*.onnx")}
    assert shipped <= {entry.file for entry in manifest.models()}


def test_writing_describes_each_file(zoo: Path) -> None:
    entries = manifest.models()
    assert [(entry.name, entry.version) for entry in entries] == [
        ("anime-x4", 1),
        ("photo-x2", 1),
        ("photo-x4", 2),
        ("photo-x4", 1),
    ]
    entry = entries[0]
    data = (zoo / "anime-x4-1.onnx").read_bytes()
    assert entry.sha256 == hashlib.sha256(data).hexdigest()
    assert (entry.size, entry.url) == (len(data), None)
    assert entry.card().name == "anime-x4"


def test_a_name_finds_the_newest_and_a_version_pins(zoo: Path) -> None:
    assert manifest.find("photo-x4").version == 2
    assert manifest.find("photo-x4@1").version == 1


def test_an_unknown_name_lists_near_ones(zoo: Path) -> None:
    with pytest.raises(ModelNotFoundError) as caught:
        manifest.find("foto-x4")
    message = str(caught.value)
    assert "foto-x4: no model of this name; did you mean photo-x4" in message
    assert "anamorph models" in message
    with pytest.raises(ModelNotFoundError, match="no model of this name; give a path"):
        manifest.find("zzzz")


@pytest.mark.parametrize("version", ["3", "", "one", "-1"])
def test_an_unknown_version_lists_the_known(zoo: Path, version: str) -> None:
    with pytest.raises(ModelNotFoundError, match="only photo-x4@2, photo-x4@1"):
        manifest.find(f"photo-x4@{version}")


def test_a_file_that_moved_out_keeps_its_entry_if_it_has_an_address(zoo: Path) -> None:
    manifest.write_manifest(zoo, {"photo-x2-1.onnx": "https://example.org/photo-x2-1.onnx"})
    (zoo / "photo-x2-1.onnx").unlink()
    (zoo / "anime-x4-1.onnx").unlink()
    names = [entry.file for entry in manifest.write_manifest(zoo)]
    assert names == ["photo-x2-1.onnx", "photo-x4-2.onnx", "photo-x4-1.onnx"]
    assert manifest.find("photo-x2").url == "https://example.org/photo-x2-1.onnx"


def test_twins_are_refused(zoo: Path) -> None:
    tiny_upscaler(zoo / "twin.onnx", name="photo-x2")
    with pytest.raises(ModelFileError, match="raise the model_version"):
        manifest.write_manifest(zoo)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"models": [{"name": "x"}]}', b'{"models": [{"name": "../x"}]}']
)
def test_a_damaged_manifest_is_named(zoo: Path, content: bytes) -> None:
    (zoo / "manifest.json").write_bytes(content)
    with pytest.raises(ModelFileError, match=r"manifest\.json.*install anamorph again"):
        manifest.models()


@pytest.mark.parametrize("file", ["../evil.onnx", "a/b.onnx", "C:\\x.onnx", "model.exe"])
def test_a_manifest_cannot_point_out_of_its_folder(zoo: Path, file: str) -> None:
    content = json.loads((zoo / "manifest.json").read_text())
    content["models"][0]["file"] = file
    (zoo / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(ModelFileError, match="damaged"):
        manifest.models()
