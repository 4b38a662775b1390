"""`anamorph convert`: files, folders and pipes; what is wrong is one line and writes nothing."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tests.runtime.tiny_models import tiny_upscaler
from tests.runtime.tiny_voices import tiny_converter

from anamorph.cli import main

RATE = 22050


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_converter(tmp_path_factory.mktemp("model") / "tiny.onnx"))


def sound(path: Path, seconds: float = 0.2, rate: int = RATE, channels: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).normal(0, 0.05, (int(seconds * rate), channels))
    soundfile.write(path, noise, rate)
    return path


def convert(*arguments: object) -> int:
    return main(["convert", *map(str, arguments), "--device", "cpu"])


def error_of(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr().err.strip()
    assert captured.startswith("anamorph: error: ")
    assert "\n" not in captured
    return captured


def test_sound_does_not_go_onto_a_terminal(
    model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert convert("-", "-m", model) == 2
    assert "the recording would go onto the terminal; give -o FILE" in error_of(capsys)


def test_a_file_is_written_beside_its_input(tmp_path: Path, model: str) -> None:
    source = sound(tmp_path / "me.flac", rate=48000)
    assert convert(source, "-m", model) == 0
    info = soundfile.info(tmp_path / "me-tiny-voice.flac")
    assert (info.format, info.samplerate, info.frames) == ("FLAC", 48000, 9600)


def test_rate_format_depth_and_channels_are_chosen(tmp_path: Path, model: str) -> None:
    source = sound(tmp_path / "me.wav", channels=2)
    target = tmp_path / "her.wav"
    chosen = ("--rate", 44100, "--bits", 24, "--channels", "keep", "--gain", "-3")
    assert convert(source, "-o", target, "-m", model, *chosen) == 0
    info = soundfile.info(target)
    assert (info.samplerate, info.channels, info.subtype) == (44100, 2, "PCM_24")
    assert convert(source, "-m", model, "--format", "mp3", "--chunk", "0.05") == 0
    assert soundfile.info(tmp_path / "me-tiny-voice.mp3").format == "MP3"


def test_a_folder_keeps_its_tree_and_goes_on_past_a_bad_file(
    tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sound(tmp_path / "in" / "a.wav")
    sound(tmp_path / "in" / "deep" / "b.ogg")
    (tmp_path / "in" / "bad.mp3").write_bytes(b"no sound")
    assert convert(tmp_path / "in", "-o", tmp_path / "out", "-m", model, "--json") == 1
    captured = capsys.readouterr()
    rows = [json.loads(line) for line in captured.out.splitlines()]
    assert [row["status"] for row in rows] == ["written", "failed", "written"]
    assert rows[0]["duration"] == pytest.approx(0.2)
    assert "no recording that can be read" in rows[1]["error"]
    assert "1 of 3 recordings failed" in captured.err
    made = sorted(path.name for path in (tmp_path / "out").rglob("*.*"))
    assert made == ["a.wav", "b.ogg"]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names of files are Unicode")
def test_a_name_of_any_bytes(
    tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    strange = tmp_path / "in" / os.fsdecode(b"b\xe9.wav")
    for path in (tmp_path / "in" / "a.wav", strange, tmp_path / "in" / "c.wav"):
        sound(tmp_path / "whole.wav").rename(path)
    strange.with_suffix(".mp3").write_bytes(b"no sound")
    assert convert(tmp_path / "in", "-o", tmp_path / "out", "-m", model, "--json") == 1
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["status"] for row in rows] == ["written", "failed", "written", "written"]
    assert r"b\xe9.mp3: is no recording" in rows[1]["error"]
    assert soundfile.info(os.fsencode(tmp_path / "out" / strange.name)).frames == 4410


def test_a_pipe_is_read_and_written(tmp_path: Path, model: str) -> None:
    data = sound(tmp_path / "me.flac").read_bytes()
    done = subprocess.run(
        [sys.executable, "-m", "anamorph.cli", "convert", "-", "-o", "-", "-m", model],
        input=data,
        capture_output=True,
        check=True,
    )
    with soundfile.SoundFile(io.BytesIO(done.stdout)) as file:
        assert (file.format, file.frames, file.samplerate) == ("WAV", 4410, RATE)


class Pipe(io.BytesIO):
    """Standard input that must not be read in one piece."""

    @property
    def buffer(self) -> "Pipe":
        return self

    def read(self, size: int | None = -1) -> bytes:
        assert size
        assert 0 < size <= 2**20
        return super().read(size)


def test_a_pipe_is_read_in_blocks(
    tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", Pipe(sound(tmp_path / "me.flac").read_bytes()))
    assert convert("-", "-o", tmp_path / "her.wav", "-m", model, "--json") == 0
    row = json.loads(capsys.readouterr().out)
    assert (row["input"], row["status"], row["duration"]) == ("-", "written", 0.2)
    assert soundfile.info(tmp_path / "her.wav").frames == 4410


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"", "standard input is empty"), (b"no sound", "standard input: is no recording")],
)
@pytest.mark.parametrize("output", ["-", "her.wav"])
def test_a_pipe_that_is_refused(
    output: str,
    data: bytes,
    message: str,
    model: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", Pipe(data))
    assert convert("-", "-o", output, "-m", model) == 1
    said = capsys.readouterr().err
    assert message in said
    assert "/" not in said
    assert list(tmp_path.iterdir()) == []


def test_existing_outputs_are_kept_replaced_or_skipped(
    tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = sound(tmp_path / "me.wav"), tmp_path / "her.wav"
    target.write_bytes(b"precious")
    assert convert(source, "-o", target, "-m", model) == 1
    assert "exists already" in capsys.readouterr().err
    assert convert(source, "-o", target, "-m", model, "--skip-existing") == 0
    assert target.read_bytes() == b"precious"
    assert convert(source, "-o", target, "-m", model, "--force") == 0
    assert soundfile.info(target).frames == 4410


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "model"),
        (("-m", "MODEL"), 2, "no input given"),
        (("me.wav", "-m", "MODEL", "--chunk", "0"), 2, "positive number of seconds"),
        (("me.wav", "-m", "MODEL", "--chunk", "1e-4"), 2, "tiny-voice needs at least 0.01 seconds"),
        (("me.wav", "-m", "WHOLE", "--chunk", "9"), 2, "depends on the whole recording"),
        (("me.wav", "-m", "MODEL", "--force", "--skip-existing"), 2, "exclude each other"),
        (("me.wav", "-m", "MODEL", "-o", "a.mp3", "--format", "wav"), 2, "contradicts --format"),
        (("me.wav", "-m", "MODEL", "--rate", "100"), 1, "8000 to 192000"),
        (("me.wav", "-m", "MODEL", "-o", "-"), 2, "writes one recording"),
        (("none.wav", "-m", "MODEL"), 1, "no such file"),
        (("me.wav", "-m", "nobody"), 1, "nobody"),
        (("me.wav", "-m", "UPSCALER"), 1, "is a model for 'upscale', not for 'convert'"),
    ],
)
def test_wrong_use_is_said_and_writes_nothing(
    arguments: tuple[str, ...],
    code: int,
    message: str,
    model: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    sound(Path("me.wav"))
    known = {"MODEL": model, "UPSCALER": str(tiny_upscaler(tmp_path / "up.onnx"))}
    known["WHOLE"] = str(tiny_converter(tmp_path / "whole.onnx", context_before=None))
    assert main(["convert", *(known.get(word, word) for word in arguments)]) == code
    assert message in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {"me.wav", "up.onnx", "whole.onnx"}


MEASURE = """
import resource
import sys
from pathlib import Path
from anamorph.loading import load_converter
load_converter(sys.argv[1], device="cpu").convert_file(sys.argv[2], sys.argv[3])
print(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_an_hour_runs_in_little_memory(tmp_path: Path, model: str) -> None:
    minute = np.random.default_rng(0).normal(0, 0.05, 60 * 44100).astype(np.float32)
    with soundfile.SoundFile(tmp_path / "hour.wav", "w", 44100, 1) as file:
        for _ in range(60):
            file.write(minute)
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, model, tmp_path / "hour.wav", tmp_path / "out.wav"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) * 1024 < 200e6  # 600 MB are allowed, for a real network
    assert soundfile.info(tmp_path / "out.wav").frames == 3600 * 44100
