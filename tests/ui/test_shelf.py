"""Which models can be asked for, and which are kept loaded."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.runtime.tiny_codes import tiny_autoencoder
from tests.runtime.tiny_models import tiny_upscaler
from tests.runtime.tiny_voices import tiny_converter
from tests.ui.zoos import TINY, tiny_zoo

from anamorph import manifest
from anamorph.errors import InputError, ModelFileError, ModelNotFoundError
from anamorph_ui.shelf import Shelf


def make(folder: Path, *, memory_bytes: int = 10**9, own_models: int = 8) -> Shelf:
    return Shelf(folder, memory_bytes=memory_bytes, own_models=own_models, device="cpu", threads=1)


def test_models_are_loaded_on_first_use_and_kept(tmp_path: Path) -> None:
    shelf = make(tmp_path)
    assert shelf.loaded() == []
    first = shelf.load("photo-x4")
    assert shelf.load("photo-x4") is first
    assert shelf.loaded() == ["photo-x4"]


def test_the_least_recently_used_goes_when_there_is_no_room(tmp_path: Path) -> None:
    shelf = make(tmp_path, memory_bytes=10_000_000)  # two of 1.5 MB that are loaded as thrice that
    for name in ("photo-x4", "photo-x2", "photo-x4", "photo-x3"):
        shelf.load(name)
    assert shelf.loaded() == ["photo-x4", "photo-x3"]


def test_one_model_is_kept_however_large(tmp_path: Path) -> None:
    shelf = make(tmp_path, memory_bytes=1)
    shelf.load("photo-x4")
    assert shelf.loaded() == ["photo-x4"]


@pytest.mark.parametrize("name", ["", "nobody", "../zoo/nathalie.onnx", "/etc/passwd"])
def test_names_are_no_paths(tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelNotFoundError, match=r"no such model here; there are .*photo-x4"):
        make(tmp_path).load(name)


def test_addresses_are_not_fetched(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError):
        make(tmp_path).load("http://127.0.0.1:9/model.onnx")


def test_a_model_of_another_task_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a model for 'upscale', not for 'convert'"):
        make(tmp_path).load("photo-x4", task="convert")


def test_own_models_are_kept_by_content_and_the_oldest_goes(tmp_path: Path) -> None:
    shelf = make(tmp_path / "own", own_models=1)
    (tmp_path / "own").mkdir()
    first = shelf.add(tiny_upscaler(tmp_path / "a.onnx").read_bytes(), name="a.onnx")
    assert shelf.load(first.name, task="upscale").card.name == first.card.name
    assert shelf.add(first.path.read_bytes(), name="again.onnx").name == first.name
    second = shelf.add(tiny_converter(tmp_path / "b.onnx").read_bytes(), name="b.onnx")
    assert [path.stem for path in (tmp_path / "own").iterdir()] == [second.name]
    assert shelf.loaded() == []
    with pytest.raises(ModelNotFoundError):
        shelf.find(first.name)


def test_a_file_that_is_no_model_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"^broken\.onnx: ") as caught:
        make(tmp_path).add(b"no model", name="broken.onnx")
    assert str(tmp_path) not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_one_file_that_many_bring_at_once(tmp_path: Path) -> None:
    shelf = make(tmp_path / "own")
    (tmp_path / "own").mkdir()
    data = tiny_upscaler(tmp_path / "a.onnx").read_bytes()
    with ThreadPoolExecutor(4) as pool:
        names = {one.name for one in pool.map(lambda _: shelf.add(data, name="a.onnx"), range(80))}
    (name,) = names
    assert shelf.load(name, task="upscale")
    assert [path.stem for path in (tmp_path / "own").iterdir()] == [name]
    shelf.find(name).path.unlink()
    assert shelf.load("photo-x4")  # whatever became of another model's file


def test_a_model_of_two_files_is_one(tmp_path: Path) -> None:
    with tiny_zoo(tmp_path):
        shelf = make(tmp_path)
        assert {one.name for one in shelf.models()} >= set(TINY)
        assert [one.name for one in shelf.models("reconstruct")] == ["plain", "tiny", "tiny-map"]
        found = shelf.find("tiny")
        assert found.card.role == "encoder"
        files = [one for one in manifest.models() if one.name == "tiny"]
        assert found.size == sum(one.size for one in files) > files[0].size
        assert shelf.load("tiny", task="reconstruct").latent_width == 5


def test_a_missing_half_is_told_without_a_path(tmp_path: Path) -> None:
    with tiny_zoo(tmp_path):
        shelf = make(tmp_path)
        (tmp_path / "tiny.decoder.onnx").unlink()
        with pytest.raises(ModelNotFoundError, match=r"^tiny: needs tiny\.decoder\.onnx beside it"):
            shelf.load("tiny")
        other = tiny_autoencoder(tmp_path / "other", latent=5, family_digest="d2")
        other.with_name("tiny.decoder.onnx").rename(tmp_path / "tiny.decoder.onnx")
        with pytest.raises(ModelFileError, match=r"^tiny\.decoder\.onnx: does not belong"):
            shelf.load("tiny")


@pytest.mark.parametrize("role", ["encoder", "decoder"])
def test_one_file_of_two_is_refused(tmp_path: Path, role: str) -> None:
    path = tiny_autoencoder(tmp_path / "codes").with_name(f"tiny.{role}.onnx")
    with pytest.raises(ModelFileError, match=f"is the {role} of a model of two files"):
        make(tmp_path).add(path.read_bytes(), name=path.name)
    assert list(tmp_path.glob("*.onnx")) == []
