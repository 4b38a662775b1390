"""Small pictures are read from folders, IDX and MedMNIST, split as told, or refused."""

import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anamorph.errors import InputError
from anamorph.picture import Picture
from anamorph_training.data.batches import draw_batch
from anamorph_training.data.images import ArrayStack, read_images, split_images
from anamorph_training.data.tables import read_parts


@dataclass(frozen=True)
class Choice:
    data: Path
    data_name: str = "pictures"
    licence: str = "CC0-1.0"
    by_folder: bool = False
    only: tuple[int, ...] = ()
    without: tuple[int, ...] = ()
    height: int = 16
    width: int = 16
    colour: Any = "grey"
    equal_energy: bool = False
    likelihood: Any = "gaussian"
    batch: int = 6
    latent: int = 3
    flip: bool = False
    shift: int = 0
    seed: int = 1


def write_idx(folder: Path, count: int = 40, *, packed: bool = False) -> Path:
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 255, (count, 12, 10)).astype(np.uint8)
    labels = (np.arange(count) % 4).astype(np.uint8)
    suffix = ".gz" if packed else ""
    for name, kind, array in (("images-idx3", 0x0803, pixels), ("labels-idx1", 0x0801, labels)):
        head = kind.to_bytes(4, "big") + b"".join(n.to_bytes(4, "big") for n in array.shape)
        data = head + array.tobytes()
        file = folder / f"t10k-{name}-ubyte{suffix}"
        file.write_bytes(gzip.compress(data) if packed else data)
    return folder / f"t10k-images-idx3-ubyte{suffix}"


def write_people(folder: Path, people: int, each: int = 2) -> Path:
    for person in range(people):
        (folder / f"s{person}").mkdir(parents=True)
        for number in range(each):
            picture = np.full((20, 15, 3), 10 * person, np.uint8)
            Picture(picture).save(folder / f"s{person}" / f"{number}.png")
    return folder


@pytest.mark.parametrize("packed", [False, True])
def test_the_last_tenth_of_an_idx_file_is_held_out(tmp_path: Path, packed: bool) -> None:
    images = read_images(Choice(write_idx(tmp_path, packed=packed)))
    assert len(images.training) == 36
    assert images.held.shape == (4, 1, 16, 16)
    assert images.labels is not None
    assert images.labels.tolist() == [i % 4 for i in range(36)]
    assert images.dataset.items == 36


def test_classes_can_be_chosen_or_left_out(tmp_path: Path) -> None:
    file = write_idx(tmp_path)
    images = read_images(Choice(file, only=(1,)))
    assert images.labels is not None
    assert set(images.labels) == {1}
    images = read_images(Choice(file, without=(0, 1)))
    assert images.labels is not None
    assert set(images.labels) == {2, 3}
    with pytest.raises(InputError, match="leaves 0 pictures"):
        read_images(Choice(file, only=(9,)))


def test_medmnist_has_parts_of_its_own(tmp_path: Path) -> None:
    arrays: dict[str, Any] = {}
    for part, count in (("train", 8), ("val", 3), ("test", 2)):
        arrays[f"{part}_images"] = np.full((count, 28, 28), count, np.uint8)
        arrays[f"{part}_labels"] = (np.arange(count)[:, None] % 2).astype(np.uint8)
    np.savez(tmp_path / "med.npz", **arrays)
    images = read_images(Choice(tmp_path / "med.npz", only=(0,)))
    assert len(images.training) == 4
    assert images.held.shape == (2, 1, 16, 16)
    assert len(read_parts(tmp_path / "med.npz")["test"]) == 2


def test_every_fifth_picture_or_person_is_held_out(tmp_path: Path) -> None:
    folder = write_people(tmp_path / "faces", 10)
    training, held, _ = split_images(Choice(folder, by_folder=True))
    assert (len(training), len(held)) == (16, 4)
    assert {int(one.mean()) for one in held.pixels} == {40, 90}
    training, held, _ = split_images(Choice(folder))
    assert (len(training), len(held)) == (16, 4)
    assert training.labels.max() == 9


def test_colour_pictures_keep_their_colours(tmp_path: Path) -> None:
    folder = tmp_path / "red"
    folder.mkdir()
    for number in range(2):
        Picture(np.full((9, 9, 3), (200, 40, 10), np.uint8)).save(folder / f"{number}.png")
    images = read_images(Choice(folder, colour="rgb"))
    assert images.held[0, :, 0, 0].tolist() == [200, 40, 10]
    grey = read_images(Choice(folder))
    assert grey.held[0, 0, 0, 0] == round(0.299 * 200 + 0.587 * 40 + 0.114 * 10)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"height": 61}, "--height, --width: 61 x 16"),
        ({"data": Path("sprites")}, "drawn grey, 64 x 64"),
        ({"data": Path("nowhere")}, "no such folder"),
        ({"by_folder": True}, "lie in one folder"),
        ({"equal_energy": True, "likelihood": "bernoulli"}, "give --likelihood gaussian"),
    ],
)
def test_what_cannot_be_used_is_refused(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    write_people(tmp_path / "faces", 1)
    with pytest.raises(InputError, match=message):
        read_images(Choice(**{"data": tmp_path / "faces", **change}))


def test_a_single_picture_cannot_be_held_out_too(tmp_path: Path) -> None:
    write_people(tmp_path / "faces", 1, each=1)
    with pytest.raises(InputError, match="leaves 0 pictures to learn from and 1 to hold out"):
        read_images(Choice(tmp_path / "faces"))


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    file = write_idx(tmp_path)
    whole = file.read_bytes()
    for data in (whole[:-1], b"\x00\x00\x08\x01" + whole[4:], b"junk", b"\x1f\x8bjunk"):
        file.write_bytes(data)
        with pytest.raises(InputError, match="neither IDX pictures nor MedMNIST"):
            read_images(Choice(file))
    (tmp_path / "bad.npz").write_bytes(b"PK junk")
    with pytest.raises(InputError, match="neither IDX pictures nor MedMNIST"):
        read_images(Choice(tmp_path / "bad.npz"))
    file.write_bytes(whole)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(InputError, match="labels in a file of their own"):
        read_images(Choice(file))


def test_a_batch_follows_from_its_step_and_the_weights() -> None:
    stack = ArrayStack(np.random.default_rng(0).integers(0, 255, (50, 1, 8, 8)).astype(np.uint8))
    choice: Any = Choice(Path(), flip=True, shift=2)
    one, again, other = (draw_batch(step, stack, choice) for step in (3, 3, 4))
    assert np.array_equal(one.picture, again.picture)
    assert np.array_equal(one.noise, again.noise)
    assert not np.array_equal(one.picture, other.picture)
    import torch

    weights = torch.zeros(50, dtype=torch.float64)
    weights[7] = 0.3
    assert set(draw_batch(0, stack, choice, weights).indices) == {7}


def test_pictures_of_equal_energy_differ_in_what_they_show_alone() -> None:
    bright = np.zeros((2, 1, 8, 8), np.uint8)
    bright[0, 0, 2:4] = 200
    bright[1] = bright[0] // 2
    choice: Any = Choice(Path(), equal_energy=True, batch=40)
    drawn = draw_batch(0, ArrayStack(bright), choice)
    assert drawn.picture.std(0).max() < 1e-6
    assert drawn.picture[0].square().mean().sqrt().item() == pytest.approx(0.25)
