"""A run's folder belongs to one configuration."""

import json
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

import pytest
import torch

from anamorph.errors import InputError, OutputError
from anamorph_training.loop.checkpoints import save_checkpoint
from anamorph_training.loop.run_folder import open_run, settings


@dataclass(frozen=True)
class Config:
    """A configuration."""

    data: Path
    steps: int = 10
    shape: tuple[int, ...] = (1, 2)


CONFIG = Config(Path("pictures"))


def begin(run: Path) -> None:
    open_run(run, "recipe", CONFIG)
    save_checkpoint(run, 1, {"x": torch.zeros(1)})


def test_writes_the_configuration_without_paths(tmp_path: Path) -> None:
    open_run(tmp_path / "a" / "run", "recipe", CONFIG)
    written = json.loads((tmp_path / "a" / "run" / "config.json").read_text())
    assert written == {"recipe": "recipe", "config": {"steps": 10, "shape": [1, 2]}}
    assert "data" not in settings(CONFIG)


def test_continues_with_the_same_configuration_wherever_the_data_lie(tmp_path: Path) -> None:
    run = tmp_path / "run"
    begin(run)
    open_run(run, "recipe", replace(CONFIG, data=Path("moved")))


def test_names_the_fields_that_differ(tmp_path: Path) -> None:
    run = tmp_path / "run"
    begin(run)
    with pytest.raises(InputError, match=r"\(steps 10 -> 20\)"):
        open_run(run, "recipe", replace(CONFIG, steps=20))


def test_refuses_another_recipe(tmp_path: Path) -> None:
    run = tmp_path / "run"
    begin(run)
    with pytest.raises(InputError, match="a run of recipe, not other"):
        open_run(run, "other", CONFIG)


def test_a_run_without_checkpoint_starts_anew(tmp_path: Path) -> None:
    run = tmp_path / "run"
    open_run(run, "recipe", CONFIG)
    open_run(run, "recipe", replace(CONFIG, steps=20))
    assert json.loads((run / "config.json").read_text())["config"]["steps"] == 20


def test_refuses_a_folder_of_something_else_and_a_damaged_run(tmp_path: Path) -> None:
    (tmp_path / "diary.txt").write_text("private")
    with pytest.raises(InputError, match="holds no run"):
        open_run(tmp_path, "recipe", CONFIG)
    run = tmp_path / "run"
    begin(run)
    (run / "config.json").write_text("{")
    with pytest.raises(InputError, match="damaged"):
        open_run(run, "recipe", CONFIG)


def test_a_folder_that_cannot_be_made_or_written_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match=r"cannot be kept there \(Not a directory\)"):
        open_run(tmp_path / "file" / "run", "recipe", CONFIG)
    if Path("/proc").is_dir():
        with pytest.raises(OutputError, match="choose another --out"):
            open_run(Path("/proc/anamorph"), "recipe", CONFIG)
    run = tmp_path / "run"
    begin(run)

    def refuse(**_: object) -> NoReturn:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(OutputError, match="Permission denied"):
        open_run(run, "recipe", CONFIG)
