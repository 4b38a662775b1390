"""The verb `train`: lists recipes without PyTorch, teaches, and runs one."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from anamorph import cli
from anamorph_training import commands
from anamorph_training.commands import read_teaching, recipe_names
from anamorph_training.recipes import srresnet

TINY = ["--scale=2", "--channels=8", "--blocks=1", "--batch=2", "--patch=8", "--steps=4"]


def test_listing_recipes_imports_no_pytorch() -> None:
    code = (
        "import sys; from anamorph_training.commands import recipe_names;"
        "assert 'srresnet' in recipe_names(); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_importing_the_verbs_reads_no_recipe() -> None:
    code = (
        "import ast\n"
        "ast.parse = None\n"
        "from anamorph_training import commands\n"
        "assert 'train' not in vars(commands)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    with pytest.raises(AttributeError, match="nosuchverb"):
        commands.nosuchverb  # noqa: B018
    assert commands.train is commands.train


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_says_what_it_is_and_how_to_start_it(name: str) -> None:
    text, example = read_teaching(name)
    assert text.partition("\n")[0].endswith(".")
    assert example.startswith("Example:\n  anamorph train " + name)


def test_the_list_of_recipes_shows_one_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "Train a network that enlarges photographs" in shown
    assert "continues where" not in shown


def test_help_teaches_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "srresnet", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "--patch" in shown
    assert "Side of a low-resolution crop, in pixels." in shown
    assert "Folder of the run; an unfinished run continues." in shown
    assert "continues where" in shown
    assert "Example: anamorph train srresnet --data my-pictures/ --out runs/mine" in shown


def test_trains_from_the_command_line(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", "srresnet", "--data", str(photos), "--out", str(tmp_path / "run"), *TINY]
    assert cli.main(command) == 0
    assert "dB" in capsys.readouterr().err
    assert (tmp_path / "run" / "checkpoints" / "000000004.safetensors").exists()
    assert list((tmp_path / "run" / "events").iterdir())


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--patch", "0"),
        ("--learning-rate", "-1"),
        ("--scale", "5"),
        ("--head-kernel", "4"),
        ("--average-decay", "1"),
    ],
)
def test_numbers_out_of_range_are_wrong_usage(
    option: str, value: str, photos: Path, tmp_path: Path
) -> None:
    command = ["train", "srresnet", "--data", str(photos), "--out", str(tmp_path / "run")]
    assert cli.main([*command, option, value]) == cli.USAGE_ERROR
    assert not (tmp_path / "run").exists()


def test_pictures_too_small_for_the_patch_are_an_error(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", "srresnet", "--data", str(photos), "--out", str(tmp_path / "run")]
    assert cli.main([*command, "--patch", "100"]) == 1
    assert "at least 400 x 400 pixels" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, cli.TERMINATED), (signal.SIGINT, cli.INTERRUPTED)]
)
def test_a_signal_ends_with_a_checkpoint_and_its_own_exit_code(
    number: signal.Signals,
    code: int,
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        signal.raise_signal(number)

    monkeypatch.setattr(srresnet, "update_average", interrupt)
    before = signal.getsignal(signal.SIGTERM)
    command = ["train", "srresnet", "--data", str(photos), "--out", str(tmp_path / "run"), *TINY]
    try:
        assert cli.main(command) == code
    finally:
        signal.signal(signal.SIGTERM, before)
    assert (tmp_path / "run" / "checkpoints" / "000000001.safetensors").exists()
