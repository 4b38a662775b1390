from pathlib import Path

import numpy as np
import pytest
from tests.runtime.hostile_models import assert_one_line, forbid
from tests.runtime.tiny_models import tiny_upscaler

import anamorph
from anamorph import download, loading, manifest
from anamorph.errors import InputError, ModelFileError, ModelNotFoundError
from anamorph.family import find_siblings
from anamorph.loading import load, resolve


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "zoo"
    tiny_upscaler(folder / "photo-x2-1.onnx", name="photo-x2")
    manifest.write_manifest(folder)
    monkeypatch.setattr(manifest, "ZOO", folder)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return folder


def test_a_path_loads_a_model_that_upscales(tmp_path: Path) -> None:
    path = tiny_upscaler(tmp_path / "tiny.onnx", scale=3)
    upscaler = load(path, device="cpu", threads=1)
    assert upscaler.device == "cpu"
    assert upscaler.card.scale == 3
    picture = upscaler.upscale(np.zeros((4, 5, 3), np.uint8))
    assert picture.pixels.shape == (12, 15, 3)
    assert anamorph.load(str(path)).card == upscaler.card


def test_a_name_of_the_zoo_resolves(zoo: Path) -> None:
    assert resolve("photo-x2") == zoo / "photo-x2-1.onnx"
    assert resolve("photo-x2@1") == zoo / "photo-x2-1.onnx"
    assert load("photo-x2", device="cpu").card.name == "photo-x2"


def test_a_file_shadows_a_name_and_a_folder_does_not(zoo: Path) -> None:
    Path("photo-x2").mkdir()
    assert resolve("photo-x2") == zoo / "photo-x2-1.onnx"
    Path("photo-x2").rmdir()
    tiny_upscaler(Path("photo-x2"))
    assert resolve("photo-x2") == Path("photo-x2")


@pytest.mark.parametrize("name", ["none.onnx", "some/where", "./photo-x2", Path("photo-x2")])
def test_what_looks_like_a_path_is_never_a_name(zoo: Path, name: str | Path) -> None:
    with pytest.raises(ModelNotFoundError, match="no such file") as caught:
        resolve(name)
    assert_one_line(caught, Path(name), "anamorph models")


@pytest.mark.parametrize("name", ["m.onnx", "./m.onnx", "my-model", Path("my-model")])
def test_what_lies_in_an_unsearchable_folder_is_refused(
    zoo: Path, monkeypatch: pytest.MonkeyPatch, name: str | Path
) -> None:
    forbid(monkeypatch, Path(name), "stat")
    with pytest.raises(ModelFileError, match="Permission denied") as caught:
        resolve(name)
    assert_one_line(caught, Path(name), "check its path and permissions")


def test_an_unsearchable_folder_hides_no_name_of_the_zoo(
    zoo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forbid(monkeypatch, Path("photo-x2"), "stat")
    assert resolve("photo-x2") == zoo / "photo-x2-1.onnx"


@pytest.mark.parametrize("name", ["x" * 300, "x" * 300 + ".onnx", "a\0b", "a\0b.onnx"])
def test_names_that_no_file_can_have_are_refused(zoo: Path, name: str) -> None:
    with pytest.raises((ModelFileError, ModelNotFoundError)):
        resolve(name)


def test_an_unknown_home_is_named(zoo: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="no such user's folder") as caught:
        resolve("~nobody-of-this-name/m.onnx")
    assert_one_line(caught, "~nobody-of-this-name/m.onnx", "give the path")


def test_a_folder_is_refused(zoo: Path) -> None:
    Path("folder").mkdir()
    for name in ("folder", "./folder", Path("folder")):
        with pytest.raises(ModelFileError, match=r"is a folder; give an \.onnx file"):
            resolve(name)


def test_an_unknown_or_empty_name_points_to_the_list(zoo: Path) -> None:
    for name in ("photo-x3", "", "  "):
        with pytest.raises(ModelNotFoundError, match="anamorph models"):
            resolve(name)


def test_other_schemes_are_refused() -> None:
    for name in ("ftp://host/model.onnx", "file:///etc/passwd", "s3://bucket/model.onnx"):
        with pytest.raises(InputError, match="https:// or hf://"):
            resolve(name)


def test_a_model_outside_the_wheel_is_fetched_with_its_checksum(
    zoo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def fetch(address: str, *, progress: object = None) -> Path:
        asked.append(address)
        return zoo / "fetched.onnx"

    monkeypatch.setattr(download, "fetch", fetch)
    manifest.write_manifest(zoo, {"photo-x2-1.onnx": "https://example.org/photo-x2-1.onnx"})
    entry = manifest.find("photo-x2")
    entry.path.unlink()
    assert resolve("photo-x2") == zoo / "fetched.onnx"
    assert asked == [f"https://example.org/photo-x2-1.onnx#sha256={entry.sha256}"]


def test_a_model_that_was_not_installed_says_so(zoo: Path) -> None:
    (zoo / "photo-x2-1.onnx").unlink()
    with pytest.raises(ModelNotFoundError, match="is not installed; run: pip install"):
        resolve("photo-x2")


def test_other_tasks_are_refused_by_name(tmp_path: Path) -> None:
    path = tiny_upscaler(tmp_path / "voice.onnx", task="translate")
    with pytest.raises(InputError, match=r"'translate'.*pip install --upgrade") as caught:
        load(path)
    assert_one_line(caught, path, "upgrade")


def test_siblings_of_a_family_are_found_or_named(tmp_path: Path) -> None:
    def role(name: str, digest: str = "d1") -> Path:
        return tiny_upscaler(
            tmp_path / f"faces.{name}.onnx", role=name, family="faces", family_digest=digest
        )

    encoder = role("encoder")
    with pytest.raises(ModelNotFoundError, match=r"needs faces\.decoder\.onnx beside it"):
        find_siblings(encoder, ("encoder", "decoder"))
    decoder = role("decoder")
    assert find_siblings(encoder, ("encoder", "decoder")) == {
        "encoder": encoder,
        "decoder": decoder,
    }
    role("decoder", "d2")
    with pytest.raises(ModelFileError, match="use the files of one export"):
        find_siblings(encoder, ("encoder", "decoder"))


def test_loading_exports_no_more_than_it_documents() -> None:
    assert loading.load is anamorph.load
