"""`anamorph convert --raw`: a pipe of samples, converted while they come in."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from tests.runtime.test_converter import noise
from tests.runtime.tiny_voices import RATE, tiny_converter

import anamorph
from anamorph.audio import Audio
from anamorph.cli import main
from anamorph.commands.raw_stream import Delay

LAYOUTS = {"s16le": ("<i2", 2**15), "s32le": ("<i4", 2**31), "f32le": ("<f4", 1)}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "tiny.onnx"
    return tiny_converter(path, kernel=31, alignment=8)


def command(model: Path | str, *options: object) -> list[str]:
    given = map(str, ("-m", model, "--device", "cpu", "--threads", 1, *options))
    return [sys.executable, "-m", "anamorph", "convert", "-", "-o", "-", *given]


@pytest.mark.parametrize("kind", LAYOUTS)
def test_raw_samples_come_out_as_the_recording_does(model: Path, kind: str) -> None:
    layout, full = LAYOUTS[kind]
    samples = noise(30_000)
    data = (samples * full).astype(layout).tobytes()
    found = subprocess.run(
        command(model, "--raw", kind, "--rate", RATE), input=data, capture_output=True, check=True
    )
    made = np.frombuffer(found.stdout, layout).astype(np.float32) / full
    whole = anamorph.load(model, device="cpu").convert(Audio(samples, RATE), gain_db=0).samples
    assert made.shape == whole.shape
    assert np.abs(made - whole).max() <= 1e-4
    said = found.stderr.decode()
    assert "tiny-voice@1 on cpu: 1.4 s came in faster than they are spoken" in said


def pace(process: "subprocess.Popen[bytes]", seconds: float, rate: int) -> tuple[float, float]:
    """Feed a pipe in blocks of 10 ms at the pace of a microphone, and play what comes out.

    Returns:
        Seconds from the first block's first sample to the first that came out, and the most that
        a player which began then would have waited for any later one.
    """
    assert process.stdin is not None
    assert process.stdout is not None
    block = rate // 100
    total = int(seconds * 100) * block
    data = (noise(total) * 2**15).astype("<i2").tobytes()
    stdin, stdout = process.stdin, process.stdout
    begun = time.perf_counter() - 0.01  # the first block was being spoken

    def feed() -> None:
        for number in range(total // block):
            time.sleep(max(0.0, begun + 0.01 * (number + 1) - time.perf_counter()))
            stdin.write(data[2 * block * number : 2 * block * (number + 1)])
            stdin.flush()
        stdin.close()

    writer = threading.Thread(target=feed)
    writer.start()
    arrived, late, first = 0, 0.0, 0.0
    while chunk := os.read(stdout.fileno(), 2**16):
        now = time.perf_counter() - begun
        first = first or now
        late = max(late, now - first - arrived / 2 / rate)
        arrived += len(chunk)
    writer.join()
    assert arrived == len(data)
    return first, late


def start(model: Path | str, rate: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        command(model, "--raw", "s16le", "--rate", rate),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
    )


def test_a_paced_pipe_comes_out_at_its_pace(model: Path) -> None:
    with start(model, 48000) as process:
        assert process.stderr is not None
        first, late = pace(process, 3, 48000)
        said = process.stderr.read().decode()
    assert process.returncode == 0, said
    assert first < 3  # it comes while it is spoken, though a process has to start first
    assert late < 0.5
    assert "tiny-voice@1 on cpu: 3.0 s, at most " in said
    assert "(by design 54: model 1, step 40, resampling 3, limiter 10)" in said


def test_the_delay_that_is_told_is_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(time, "perf_counter", lambda: now)
    delay = Delay()
    for _ in range(4):
        now += 0.1
        delay.take(10, now)
        delay.give(0)
    delay.give(25)  # its first came in at 0.1, and it is 0.4
    assert delay.most == pytest.approx(0.3)
    now += 0.2
    delay.give(15)  # the first of these came in at 0.3
    assert delay.most == pytest.approx(0.3)
    assert delay.taken == 40


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "standard input is empty; pipe s16le samples into it"),
        (b"\0", "standard input breaks off within a sample"),
        (b"\0" * 2001, "standard input breaks off within a sample; does it hold s16le?"),
    ],
)
def test_pipes_that_are_refused(model: Path, data: bytes, message: str) -> None:
    found = subprocess.run(
        command(model, "--raw", "s16le", "--rate", RATE),
        input=data,
        capture_output=True,
        check=False,
    )
    assert found.returncode == 1
    assert message in found.stderr.decode()
    assert len(found.stdout) == len(data) // 2 * 2  # what could be converted was


def test_samples_that_are_no_numbers(model: Path) -> None:
    found = subprocess.run(
        command(model, "--raw", "f32le", "--rate", RATE),
        input=np.array([0, np.nan], "<f4").tobytes(),
        capture_output=True,
        check=False,
    )
    assert (found.returncode, found.stdout) == (1, b"")
    assert "NaN" in found.stderr.decode()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.wav", "--raw", "s16le", "--rate", "48000"], "give - -o -"),
        (["-", "-o", "a.raw", "--raw", "s16le", "--rate", "48000"], "give - -o -"),
        (["-", "-o", "-", "--raw", "s16le"], "give it: --rate 48000"),
        (["-", "-o", "-", "--raw", "s16le", "--rate", "48000", "--bits", "24"], "drop them"),
        (["-", "-o", "-", "--raw", "mulaw", "--rate", "48000"], "mulaw"),
    ],
)
def test_what_raw_does_not_go_with(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["convert", *arguments, "-m", "nathalie"]) == 2
    assert message in capsys.readouterr().err
