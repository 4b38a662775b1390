"""Which output each input is written to."""

from pathlib import Path

import pytest

from anamorph.batch import Job, plan
from anamorph.errors import InputError

SUFFIXES = frozenset({".png", ".jpg"})


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_a_file_is_written_beside_itself_with_a_mark(tmp_path: Path) -> None:
    source = touch(tmp_path / "a.jpg")
    jobs = plan([source], output=None, mark="-x4", suffixes=SUFFIXES)
    assert jobs == [Job(source, tmp_path / "a-x4.jpg")]


def test_output_with_a_known_suffix_names_the_file(tmp_path: Path) -> None:
    source = touch(tmp_path / "a.jpg")
    jobs = plan([source], output=tmp_path / "b.png", mark="-x4", suffixes=SUFFIXES)
    assert jobs == [Job(source, tmp_path / "b.png")]


def test_output_without_a_suffix_is_a_folder(tmp_path: Path) -> None:
    source = touch(tmp_path / "a.jpg")
    jobs = plan([source], output=tmp_path / "out", mark="-x4", suffixes=SUFFIXES, suffix=".png")
    assert jobs == [Job(source, tmp_path / "out" / "a.png")]


def test_a_folder_keeps_its_tree_and_leaves_out_what_is_no_picture(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    touch(folder / "b.png")
    touch(folder / "deep" / "er" / "a.JPG")
    touch(folder / "notes.txt")
    touch(folder / ".hidden" / "c.png")
    touch(folder / ".d.png")
    jobs = plan([folder], output=tmp_path / "out", mark="-x4", suffixes=SUFFIXES)
    assert [job.target.relative_to(tmp_path / "out").as_posix() for job in jobs] == [
        "b.png",
        "deep/er/a.JPG",
    ]


def test_a_folder_without_output_gets_a_marked_sibling(tmp_path: Path) -> None:
    touch(tmp_path / "in" / "b.png")
    (job,) = plan([tmp_path / "in"], output=None, mark="-x4", suffixes=SUFFIXES)
    assert job.target == tmp_path / "in-x4" / "b.png"


def test_an_output_folder_inside_the_input_is_not_read_again(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    touch(folder / "a.png")
    touch(folder / "large" / "a.png")
    jobs = plan([folder], output=folder / "large", mark="-x4", suffixes=SUFFIXES)
    assert [job.source for job in jobs] == [folder / "a.png"]


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no file to work on; accepted are \.jpg \.png"):
        plan([tmp_path], output=None, mark="-x4", suffixes=SUFFIXES)


def test_a_missing_input_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file or folder"):
        plan([tmp_path / "a.png"], output=None, mark="-x4", suffixes=SUFFIXES)


def test_no_input_is_refused() -> None:
    with pytest.raises(InputError, match="no input given"):
        plan([], output=None, mark="-x4", suffixes=SUFFIXES)


def test_two_inputs_with_one_output_are_refused(tmp_path: Path) -> None:
    inputs = [touch(tmp_path / "a.png"), touch(tmp_path / "a.jpg")]
    with pytest.raises(InputError, match="would both be written"):
        plan(inputs, output=tmp_path / "out", mark="-x4", suffixes=SUFFIXES, suffix=".png")
