"""The command line, through real files and exit codes."""

import io
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tests.runtime.tiny_models import tiny_upscaler

from anamorph.cli import main
from anamorph.picture import Picture


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_upscaler(tmp_path_factory.mktemp("model") / "tiny.onnx", scale=2))


def photograph(path: Path, *, height: int = 6, width: int = 8) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Picture(pixels).save(path)
    return path


def size(path: Path) -> tuple[int, int]:
    picture = Picture.open(path)
    return picture.width, picture.height


def test_help_lists_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    for verb in ("upscale", "models", "info", "check", "cache", "train", "export", "evaluate"):
        assert verb in shown


@pytest.mark.parametrize("verb", ["upscale", "models", "info", "check", "cache"])
def test_every_verb_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--help"]) == 0
    assert f"anamorph {verb}" in capsys.readouterr().out


def test_a_file_is_written_beside_its_input(tmp_path: Path, model: str) -> None:
    source = photograph(tmp_path / "a.png")
    assert main(["upscale", str(source), "-m", model]) == 0
    assert size(tmp_path / "a-x2.png") == (16, 12)


def test_output_and_format_are_chosen_by_suffix(tmp_path: Path, model: str) -> None:
    source = photograph(tmp_path / "a.png")
    target = tmp_path / "new" / "b.webp"
    assert main(["upscale", str(source), "-m", model, "-o", str(target), "--quality", "80"]) == 0
    assert target.read_bytes()[8:12] == b"WEBP"


def test_a_folder_keeps_its_tree_and_goes_on_past_a_bad_file(
    tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    photograph(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "broken.png").write_text("no picture")
    photograph(tmp_path / "in" / "deep" / "c.png")
    out = tmp_path / "out"
    assert main(["upscale", str(tmp_path / "in"), "-m", model, "-o", str(out), "--json"]) == 1
    captured = capsys.readouterr()
    outcomes = [json.loads(line) for line in captured.out.splitlines()]
    assert [outcome["status"] for outcome in outcomes] == ["written", "failed", "written"]
    assert outcomes[0]["width"] == 16
    assert "broken.png" in outcomes[1]["error"]
    assert "1 of 3 pictures failed" in captured.err
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*.*")) == [
        "a.png",
        "deep/c.png",
    ]


def test_existing_outputs_are_kept_replaced_or_skipped(
    tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = photograph(tmp_path / "a.png"), tmp_path / "b.png"
    target.write_text("mine")
    arguments = ["upscale", str(source), "-m", model, "-o", str(target)]
    assert main(arguments) == 1
    assert "--force" in capsys.readouterr().err
    assert main([*arguments, "--skip-existing"]) == 0
    assert target.read_text() == "mine"
    assert main([*arguments, "--force"]) == 0
    assert size(target) == (16, 12)


def test_a_pipe_is_read_and_written(
    tmp_path: Path,
    model: str,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    source = photograph(tmp_path / "a.png")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(source.read_bytes())))
    assert main(["upscale", "-", "-o", "-", "-m", model, "--format", "jpeg"]) == 0
    written = capfdbinary.readouterr().out
    assert (Picture.open(written).width, Picture.open(written).height) == (16, 12)
    assert written.startswith(b"\xff\xd8")


def test_standard_input_can_be_written_to_a_file(
    tmp_path: Path,
    model: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = photograph(tmp_path / "a.png").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    target = tmp_path / "b.png"
    assert main(["upscale", "-", "-o", str(target), "-m", model, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["status"] == "written"
    assert size(target) == (16, 12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no input given"),
        (["none.png"], "no such file or folder"),
        (["a.png", "--tile", "0"], "--tile 0"),
        (["a.png", "--tile", "1"], "needs at least"),
        (["a.png", "--quality", "101"], "quality 101"),
        (["a.png", "--force", "--skip-existing"], "exclude each other"),
        (["-", "a.png"], "give it alone"),
        (["a.png", "-o", "-"], "standard input"),
        (["-", "--json"], "cannot share"),
        (["a.png", "-o", "b.png", "--format", "jpeg"], "contradicts --format jpeg"),
        (["a.png", "-o", "b.jpg/c.xyz/d.png", "-m", "no-such-model"], "no-such-model"),
        (["a.png", "--threads", "0"], "threads"),
        (["a.png", "--no-such-option"], "unknown option"),
        (["a.png", "--max-megapixels", "0.00001"], "pixels"),
    ],
)
def test_wrong_use_is_one_line_and_writes_nothing(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    model: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    photograph(tmp_path / "a.png", height=64, width=64)
    chosen = [] if "-m" in arguments else ["-m", model]
    assert main(["upscale", *arguments, *chosen]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert "Traceback" not in error
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_a_misspelt_value_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["upscale", "a.png", "--tile", "large"])
    assert caught.value.code == 2


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        main(["upscale", str(tmp_path / "a.png"), "-m", "no-such-model", "--debug"])


def test_info_prints_the_card(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", model]) == 0
    shown = capsys.readouterr().out
    assert "tiny-x2@1" in shown
    assert "CC0-1.0" in shown
    assert main(["info", model, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["scale"] == 2


def test_check_passes_a_sound_model_and_fails_a_lying_one(
    tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", model]) == 0
    assert "ok" in capsys.readouterr().out
    liar = tiny_upscaler(tmp_path / "liar.onnx", context_before=0, context_after=0)
    assert main(["check", str(liar), "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert any(finding["status"] == "failed" for finding in report["findings"])


def test_models_lists_the_zoo(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--json"]) == 0
    names = [json.loads(line)["name"] for line in capsys.readouterr().out.splitlines()]
    assert "photo-x4" in names


def test_cache_lists_and_removes_nothing_when_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ANAMORPH_CACHE", str(tmp_path))
    assert main(["cache", "list"]) == 0
    assert "0 models" in capsys.readouterr().out
    assert main(["cache", "remove"]) == 1
    assert main(["cache", "remove", "--all"]) == 0


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_no_partial_file(tmp_path: Path, model: str, kind: signal.Signals) -> None:
    source = photograph(tmp_path / "in" / "a.png", height=3000, width=3000)
    out = tmp_path / "out"
    # A shell's background jobs ignore SIGINT, and so would their children.
    start = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)"
    start += "; from anamorph.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", start, "upscale", str(source)]
    command += ["-o", str(out), "-m", model, "--tile", "64"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not list(out.glob(".*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(kind)
    _, error = process.communicate(timeout=60)
    assert process.returncode in (130, 143)
    assert b"Traceback" not in error
    assert not out.exists() or list(out.iterdir()) == []
