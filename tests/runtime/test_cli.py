"""The command line, through real files and exit codes."""

import io
import json
import os
import signal
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from tests.runtime.test_torch_free import HIDE
from tests.runtime.tiny_models import tiny_upscaler, upscaler_proto

from anamorph.cli import explain, main
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
    ("code", "arguments", "message"),
    [
        (2, [], "no input given"),
        (2, [""], "an input is empty"),
        (2, ["a.png", "--tile", "0"], "--tile 0"),
        (2, ["a.png", "--tile", "large"], "large"),
        (2, ["a.png", "--device", "abacus"], "abacus"),
        (2, ["a.png", "--quality", "101"], "quality 101"),
        (2, ["a.png", "--max-megapixels", "inf"], "--max-megapixels inf"),
        (2, ["a.png", "--max-megapixels", "nan"], "--max-megapixels nan"),
        (2, ["a.png", "--force", "--skip-existing"], "exclude each other"),
        (2, ["-", "a.png"], "give it alone"),
        (2, ["a.png", "-o", "-"], "standard input"),
        (2, ["-", "--json"], "cannot share"),
        (2, ["-", "-o", "."], "is a folder"),
        (2, ["a.png", "-o", "b.png", "--format", "jpeg"], "contradicts --format jpeg"),
        (2, ["a.png", "--no-such-option"], "unknown option"),
        (2, ["a.png", "a.png", "-o", "b.png"], "give a folder"),
        (1, ["none.png"], "no such file or folder"),
        (1, ["a.png", "--tile", "1"], "needs at least"),
        (1, ["a.png", "--threads", "0"], "threads"),
        (1, ["a.png", "--max-megapixels", "0.00001"], "pixels"),
        (1, ["a.png", "-o", "b.bmp"], "suffix '.bmp'"),
        (1, ["a.png", "-o", "new/deep/b.dat"], "suffix '.dat'"),
        (1, ["a.png", "-o", "a.png/"], "cannot be written"),
        (1, ["a.png", "-o", "a.png/b/c.png"], "cannot be written"),
        (1, ["a.png", "-o", "/proc/none/b.png"], "cannot be written"),
        (1, ["a.png", "-m", "no-such-model"], "no-such-model"),
    ],
)
def test_wrong_use_is_one_line_and_writes_nothing(
    code: int,
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
    assert main(["upscale", *arguments, *chosen]) == code
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert "Traceback" not in error
    assert "unexpected" not in error
    assert [path.name for path in tmp_path.rglob("*")] == ["a.png"]


def test_the_current_folder_can_be_named(
    tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    photograph(tmp_path / "in" / "a.png")
    monkeypatch.chdir(tmp_path / "in")
    assert main(["upscale", ".", "-m", model]) == 0
    assert size(tmp_path / "in-x2" / "a.png") == (16, 12)


def test_a_name_that_looks_like_an_option_works_behind_its_folder(
    tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    photograph(tmp_path / "-x.png")
    monkeypatch.chdir(tmp_path)
    assert main(["upscale", "./-x.png", "-m", model]) == 0
    assert size(tmp_path / "-x-x2.png") == (16, 12)


def test_a_name_that_is_no_text_does_not_end_the_batch(
    tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    photograph(tmp_path / "in" / "b.png")
    source = photograph(tmp_path / "in" / "a.png")
    source.rename(os.fsdecode(os.fsencode(source.parent) + b"/\xff.png"))
    assert main(["upscale", str(tmp_path / "in"), "-m", model, "--json"]) == 0
    outcomes = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [outcome["status"] for outcome in outcomes] == ["written", "written"]
    assert any("\\xff.png" in outcome["input"] for outcome in outcomes)


def test_a_source_is_never_replaced_by_its_enlargement(
    tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = photograph(tmp_path / "a.png")
    for target in (source, tmp_path):
        assert main(["upscale", str(source), "-o", str(target), "-m", model, "--force"]) == 1
        assert "is the input itself" in capsys.readouterr().err
        assert size(source) == (8, 6)


def test_format_and_skip_existing_hold_for_standard_input(
    tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = photograph(tmp_path / "a.png").read_bytes()
    target = tmp_path / "b.dat"
    arguments = ["upscale", "-", "-o", str(target), "-m", model, "--format", "webp"]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert main(arguments) == 0
    assert target.read_bytes()[8:12] == b"WEBP"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert main([*arguments, "--skip-existing"]) == 0


def hostile_picture(kind: str, folder: Path) -> Path:
    path = folder / "in" / f"{kind}.png"
    whole = photograph(path, height=40, width=40).read_bytes()
    header = whole[:16] + struct.pack(">II", 60_000, 60_000) + whole[24:29]
    contents = {
        "empty": b"",
        "text": b"Dear diary,\n",
        "truncated": whole[:-1500],
        "corrupt": whole[:600] + bytes(400) + whole[1000:],
        "bomb": header + struct.pack(">I", zlib.crc32(header[12:])) + whole[33:],
    }
    path.write_bytes(contents[kind])
    return path


@pytest.mark.parametrize("kind", ["empty", "text", "truncated", "corrupt", "bomb"])
def test_a_hostile_picture_is_one_line_and_nothing_is_written(
    kind: str, tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = hostile_picture(kind, tmp_path)
    target = tmp_path / "new" / "b.png"
    assert main(["upscale", str(source), "-o", str(target), "-m", model]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert str(source) in error
    assert "unexpected" not in error
    assert not target.parent.exists()


@pytest.mark.parametrize("verb", ["upscale", "info", "check"])
@pytest.mark.parametrize("kind", ["empty", "html", "no card", "newer card", "foreign", "cut"])
def test_a_hostile_model_is_said_clearly(
    verb: str, kind: str, tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile, source = tmp_path / "hostile.onnx", photograph(tmp_path / "a.png")
    whole = Path(model).read_bytes()
    contents = {
        "empty": b"",
        "html": b"<!doctype html><html><body>Not found</body></html>",
        "no card": upscaler_proto().SerializeToString(),
        "newer card": whole.replace(b'"schema": [\n  1,', b'"schema": [\n  9,'),
        "foreign": photograph(tmp_path / "b.png").read_bytes(),
        "cut": whole[: len(whole) // 2],
    }
    assert contents["newer card"] != whole
    hostile.write_bytes(contents[kind])
    before = sorted(tmp_path.iterdir())
    arguments = [str(source), "-m", str(hostile)] if verb == "upscale" else [str(hostile)]
    assert main([verb, *arguments]) == 1
    captured = capsys.readouterr()
    told = captured.out if verb == "check" else captured.err
    assert "hostile.onnx" in told
    assert "unexpected" not in told
    assert "Traceback" not in told
    assert verb == "check" or told.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    "arguments",
    [["train", "srresnet", "--help"], ["export", "run", "-o", "a.onnx"], ["bench"]],
)
def test_a_verb_without_its_extra_names_it(arguments: list[str]) -> None:
    start = "; from anamorph.cli import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", HIDE + start.removeprefix("; "), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert f"`anamorph {arguments[0]}` needs " in done.stderr
    assert "pip install 'anamorph[train]'" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("verb", "error", "cure"),
    [
        ("evaluate", ModuleNotFoundError(name="matplotlib"), "'anamorph[evaluate]'"),
        ("evaluate", ModuleNotFoundError(name="jiwer"), "'anamorph[evaluate]'"),
        ("evaluate", ModuleNotFoundError(name="pocketsphinx"), "'anamorph[evaluate]'"),
        ("upscale", MemoryError(), "a smaller --tile"),
        ("convert", MemoryError(), "a shorter --chunk"),
    ],
)
def test_the_cure_is_one_of_the_verb(verb: str, error: Exception, cure: str) -> None:
    assert cure in explain(error, verb)


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        main(["upscale", str(tmp_path / "a.png"), "-m", "no-such-model", "--debug"])


def test_an_error_raised_in_place_of_a_missing_module_keeps_its_own_words(
    monkeypatch: pytest.MonkeyPatch, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert main(["check", model]) == 1
    assert "anamorph[cpu]" in capsys.readouterr().out
    assert main(["upscale", "a.png", "-m", model]) == 1
    error = capsys.readouterr().err
    assert "ONNX Runtime" in error or "onnxruntime" in error
    assert "anamorph[gpu]" in error


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
    assert main(["cache", "remove"]) == 2
    assert main(["cache", "remove", "--all"]) == 0


@pytest.mark.parametrize(
    ("kind", "code", "word"),
    [(signal.SIGTERM, 143, b"terminated"), (signal.SIGINT, 130, b"interrupted")],
)
def test_a_signal_leaves_no_partial_file(
    tmp_path: Path, model: str, kind: signal.Signals, code: int, word: bytes
) -> None:
    source = photograph(tmp_path / "in" / "a.png", height=3000, width=3000)
    out = tmp_path / "out"
    # A shell's background jobs ignore SIGINT, and so would their children.
    start = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)"
    start += "; from anamorph.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", start, "upscale", str(source)]
    command += ["-o", str(out), "-m", model, "--tile", "16"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not out.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.3)  # into the work, which takes seconds
    process.send_signal(kind)
    _, error = process.communicate(timeout=60)
    assert process.returncode == code
    assert word in error
    assert b"Traceback" not in error
    assert not out.exists()
