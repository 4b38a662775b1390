"""Which output each input is written to."""

from pathlib import Path

import pytest

from anamorph.batch import Job, plan
from anamorph.errors import InputError, UsageError

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
    jobs = plan([source], output=str(tmp_path / "b.png"), mark="-x4", suffixes=SUFFIXES)
    assert jobs == [Job(source, tmp_path / "b.png")]


def test_output_without_a_suffix_is_a_folder(tmp_path: Path) -> None:
    source = touch(tmp_path / "a.jpg")
    jobs = plan(
        [source], output=str(tmp_path / "out"), mark="-x4", suffixes=SUFFIXES, suffix=".png"
    )
    assert jobs == [Job(source, tmp_path / "out" / "a.png")]


def test_a_folder_keeps_its_tree_and_leaves_out_what_is_no_picture(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    touch(folder / "b.png")
    touch(folder / "deep" / "er" / "a.JPG")
    touch(folder / "notes.txt")
    touch(folder / ".hidden" / "c.png")
    touch(folder / ".d.png")
    jobs = plan([folder], output=str(tmp_path / "out"), mark="-x4", suffixes=SUFFIXES)
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
    jobs = plan([folder], output=str(folder / "large"), mark="-x4", suffixes=SUFFIXES)
    assert [job.source for job in jobs] == [folder / "a.png"]


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no file to work on; accepted are \.jpg \.png"):
        plan([tmp_path], output=None, mark="-x4", suffixes=SUFFIXES)


def test_a_missing_input_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file or folder"):
        plan([tmp_path / "a.png"], output=None, mark="-x4", suffixes=SUFFIXES)


def test_no_input_is_refused() -> None:
    with pytest.raises(UsageError, match="no input given"):
        plan([], output=None, mark="-x4", suffixes=SUFFIXES)


def test_two_inputs_with_one_output_are_refused(tmp_path: Path) -> None:
    inputs = [touch(tmp_path / "a.png"), touch(tmp_path / "a.jpg")]
    with pytest.raises(InputError, match="would both be written"):
        plan(inputs, output=str(tmp_path / "out"), mark="-x4", suffixes=SUFFIXES, suffix=".png")


def test_a_trailing_separator_makes_any_name_a_folder(tmp_path: Path) -> None:
    source = touch(tmp_path / "a.png")
    (job,) = plan([source], output=f"{tmp_path}/v1.0/", mark="-x4", suffixes=SUFFIXES)
    assert job.target == tmp_path / "v1.0" / "a.png"


def test_an_existing_folder_may_have_any_name(tmp_path: Path) -> None:
    source = touch(tmp_path / "a.png")
    folder = touch(tmp_path / "v1.0" / "other.png").parent
    (job,) = plan([source], output=str(folder), mark="-x4", suffixes=SUFFIXES)
    assert job.target == folder / "a.png"


def test_one_file_is_no_output_for_several_inputs(tmp_path: Path) -> None:
    inputs = [touch(tmp_path / "in" / "a.png"), touch(tmp_path / "in" / "b.png")]
    for given in (inputs, [tmp_path / "in"]):
        with pytest.raises(UsageError, match="one file for several inputs; give a folder"):
            plan(given, output=str(tmp_path / "c.png"), mark="-x4", suffixes=SUFFIXES)


def test_the_current_folder_gets_a_marked_sibling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path / "in" / "deep" / "b.png")
    monkeypatch.chdir(tmp_path / "in" / "deep")
    (job,) = plan([Path()], output=None, mark="-x4", suffixes=SUFFIXES)
    assert job.target == tmp_path / "in" / "deep-x4" / "b.png"
    (job,) = plan([Path("..")], output=None, mark="-x4", suffixes=SUFFIXES)
    assert job.target == tmp_path / "in-x4" / "deep" / "b.png"


def test_a_loop_of_links_is_no_trouble(tmp_path: Path) -> None:
    touch(tmp_path / "in" / "a.png")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    output = str(tmp_path / "loop")
    (job,) = plan([tmp_path / "in"], output=output, mark="-x4", suffixes=SUFFIXES)
    assert job.source == tmp_path / "in" / "a.png"


def test_a_folder_without_permission_is_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_dir", refuse)
    with pytest.raises(InputError, match="check its permissions"):
        plan([tmp_path / "a.png"], output=None, mark="-x4", suffixes=SUFFIXES)
