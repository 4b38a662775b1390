"""`anamorph export` from a real run to a file."""

import io
import json
import re
import shutil
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest
import pyvips
import torch
from msgspec.structs import replace
from tests.export.networks import made_examples
from tests.runtime.tiny_models import upscaler_card

import anamorph
from anamorph.cli import main
from anamorph_export.commands import show
from anamorph_export.gate import Finding
from anamorph_export.measuring import Figures


@dataclass(frozen=True)
class Done:
    """A run of the command that went well."""

    file: Path
    stdout: str
    stderr: str


@pytest.fixture(scope="module")
def done(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Done:
    """The tiny SRResNet of the run, exported by the command."""
    folder = tmp_path_factory.mktemp("exported")
    (example,) = made_examples(1, seed=3)
    pyvips.Image.new_from_array(example.high).pngsave(str(folder / "0_HR.png"))
    pyvips.Image.new_from_array(example.low).pngsave(str(folder / "0_LR.png"))
    target = folder / "tiny-x2.onnx"
    arguments = ["export", str(run_folder), "-o", str(target), "--licence", "CC0-1.0", "--json"]
    arguments += ["--test-set", f"made={folder}", "--model-version", "2"]
    with redirect_stdout(io.StringIO()) as stdout, redirect_stderr(io.StringIO()) as stderr:
        assert main(arguments) == 0
    return Done(target, stdout.getvalue(), stderr.getvalue())


def test_a_trained_run_becomes_a_file_that_loads(done: Done, run_folder: Path) -> None:
    upscaler = anamorph.load(done.file)
    card = upscaler.card
    assert (card.name, card.model_version, card.licence) == ("tiny-x2", 2, "CC0-1.0")
    assert card.provenance is not None
    assert card.provenance.recipe == "srresnet"
    assert card.provenance.datasets[0].licence == "CC0-1.0"
    assert {metric.on for metric in card.metrics} == {"held-out pictures", "made"}
    assert str(run_folder.parent).encode() not in done.file.read_bytes()
    (example,) = made_examples(1, seed=3)
    assert upscaler.upscale(example.low).pixels.shape == (64, 64, 3)


def test_findings_and_card_are_printed_as_json(done: Done) -> None:
    report = json.loads(done.stdout)
    assert report["card"]["name"] == "tiny-x2"
    assert report["bytes"] == done.file.stat().st_size
    checks = " ".join(finding["check"] for finding in report["findings"])
    assert checks == (
        "network determinism rounding graph parity range context files quality runtime"
    )
    assert "passed: parity" in done.stderr


def test_a_table_of_checks_is_printed_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    card = replace(upscaler_card(), metrics=Figures("made", 1, 30.5, 28.0, 0.9, 0.8).metrics())
    show(Path(__file__), card, [Finding("parity", "1.0e-07", "1.0e-04")], json=False)
    table = capsys.readouterr().out
    assert "parity  1.0e-07  1.0e-04" in table
    assert "made: psnr_y 30.5 dB (without: 28)" in table


def test_an_existing_file_is_kept(
    done: Done, run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = done.file.read_bytes()
    assert main(["export", str(run_folder), "-o", str(done.file)]) == 1
    assert "--force" in capsys.readouterr().err
    assert done.file.read_bytes() == before


def test_untrained_weights_leave_no_file(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Path(shutil.copytree(run_folder, tmp_path / "run"))
    forget_training(run)
    target = tmp_path / "new" / "untrained.onnx"
    assert main(["export", str(run), "-o", str(target)]) == 1
    error = capsys.readouterr().err
    # Such weights may not even keep a picture's brightness, which is looked at first.
    assert re.search("anamorph: error: (range|quality): ", error)
    assert "Traceback" not in error
    assert not target.parent.exists()


def forget_training(run: Path) -> None:
    """Replace the run's checkpoint by the weights that a run starts with."""
    from anamorph_training.finished_run import _build, _read_config
    from anamorph_training.loop.checkpoints import save_checkpoint

    torch.manual_seed(0)
    fresh = _build(run, *_read_config(run))
    shutil.rmtree(run / "checkpoints")
    save_checkpoint(run, 0, {"average": fresh.state_dict()})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-o", "model.pt"], "models end in .onnx"),
        (["-o", "Model.onnx"], "give another --name"),
        (["-o", "model.onnx", "--model-version", "0"], "versions count from 1"),
        (["-o", "model.onnx", "--test-set", "Set5"], "give NAME=DIR"),
        (["-o", "model.onnx", "--test-set", "Set5=absent"], "no such folder"),
        (["-o", "model.onnx", "--vocoder", "x"], "--vocoder: is for voice converters; drop it"),
        (
            ["-o", "model.onnx", "--direction", "target"],
            "--direction: is for runs of cyclegan_voice",
        ),
    ],
)
def test_wrong_options_are_one_line(
    run_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["export", str(run_folder), *options]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert not list(tmp_path.iterdir())


def test_what_is_no_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(tmp_path), "-o", str(tmp_path / "model.onnx")]) == 1
    assert "is no training run" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
