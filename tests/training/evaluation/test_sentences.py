"""Recordings chosen by name for what is measured."""

from pathlib import Path

import numpy as np
import pytest

from anamorph.errors import InputError
from anamorph_training.data.speech import write_wav
from anamorph_training.evaluation.sentences import find_sentences


@pytest.fixture
def speakers(tmp_path: Path) -> list[Path]:
    folders = [tmp_path / "one", tmp_path / "other"]
    for folder, names in zip(folders, (("a1", "a2", "b"), ("c", "d")), strict=True):
        folder.mkdir()
        for name in names:
            write_wav(folder / f"{name}.wav", np.zeros(10, np.float32), 22050)
    return folders


def test_sentences_are_left_out_by_name(speakers: list[Path]) -> None:
    found = find_sentences(speakers, without=["a*", "d"])
    assert [[path.stem for path in files] for files in found] == [["b"], ["c"]]


@pytest.mark.parametrize(
    ("without", "message"),
    [
        ("a3", "--without a3: fits no recording; the first is named a1"),
        ("[cd]", r"other: --without leaves nothing of it"),
    ],
)
def test_what_leaves_out_nothing_or_all_is_refused(
    speakers: list[Path], without: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        find_sentences(speakers, without=[without])
