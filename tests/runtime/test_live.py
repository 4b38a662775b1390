"""Between sound card and voice: nothing waits, latency stays, and what went wrong is counted."""

import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests.runtime.test_converter import noise
from tests.runtime.tiny_voices import RATE, tiny_converter

import anamorph
from anamorph.cli import main
from anamorph.live import Bridge
from anamorph.stream import VoiceStream

BLOCK = 220


@pytest.fixture
def stream(tmp_path: Path) -> VoiceStream:
    """A stream that copies."""
    path = tiny_converter(tmp_path / "copy.onnx", kernel=1, alignment=8)
    copier = anamorph.load(path, device="cpu", threads=1)
    made: VoiceStream = copier.stream()
    return made


def settle(bridge: Bridge) -> None:
    """Wait until all that was heard is converted."""
    for _ in range(1000):
        with bridge._lock:
            if not bridge._waiting or bridge.error:
                return
        time.sleep(0.001)
    raise AssertionError("nothing is converted")


def exchange(
    bridge: Bridge, samples: np.ndarray, *, wait: bool = True, begun: int = 0
) -> np.ndarray:
    """Hand over blocks by a clock of their own; what is played is played 5 ms later."""
    made = []
    for start in range(0, len(samples), BLOCK):
        at = (begun + start) / RATE
        block = samples[start : start + BLOCK]
        made.append(bridge.exchange(block, heard_at=at, played_at=at + BLOCK / RATE + 0.005))
        if wait:
            settle(bridge)
    return np.concatenate(made)


def lag(played: np.ndarray, heard: np.ndarray) -> int:
    """Return by how many samples what is played is behind, and that nothing else differs."""
    start = int(np.flatnonzero(played)[0])
    assert np.abs(played[start:] - heard[: len(played) - start]).max() < 1e-6
    return start


@pytest.mark.parametrize("cushion", [0.0, 0.05])
def test_what_is_heard_is_played_once_a_cushion_is_there(
    stream: VoiceStream, cushion: float
) -> None:
    bridge, heard = Bridge(stream, cushion=cushion), noise(BLOCK * 100)
    played = exchange(bridge, heard)
    bridge.close()
    behind = lag(played, heard)
    status = bridge.status()
    assert behind == round((stream.latency + cushion) * RATE) + BLOCK
    assert status.latency == pytest.approx(behind / RATE + BLOCK / RATE + 0.005, abs=1e-3)
    assert (status.under_runs, status.dropped) == (0, 0)
    assert status.level_in == pytest.approx(float(np.abs(heard).max()))
    assert status.level_out == pytest.approx(float(np.abs(played).max()))
    assert bridge.status().level_in == 0


def hold_back(stream: VoiceStream) -> threading.Event:
    """Let a stream wait for an event before it converts anything more."""
    push, held = stream.push, threading.Event()

    def late(samples: np.ndarray) -> np.ndarray:
        held.wait()
        return push(samples)

    stream.push = late  # type: ignore[method-assign]
    return held


def test_a_late_step_is_counted_and_made_up_for(stream: VoiceStream) -> None:
    bridge, heard = Bridge(stream, cushion=0.02), noise(BLOCK * 700)
    first = exchange(bridge, heard[: BLOCK * 100])
    before = lag(first, heard)
    latency = bridge.status().latency
    held = hold_back(stream)
    gap = exchange(bridge, heard[BLOCK * 100 : BLOCK * 120], wait=False, begun=BLOCK * 100)
    held.set()
    settle(bridge)
    assert not gap[-5 * BLOCK :].any()
    assert 1 <= bridge.status().under_runs <= 20
    soon = exchange(bridge, heard[BLOCK * 120 : BLOCK * 130], begun=BLOCK * 120)
    assert soon.any()
    assert bridge.status().latency > latency + 0.1  # it is told as it is
    rest = exchange(bridge, heard[BLOCK * 130 :], begun=BLOCK * 130)
    bridge.close()
    assert bridge.status().latency == pytest.approx(latency, abs=1e-3)
    # What is played at last is as far behind as before: as much is left out as was missing.
    last = 50 * BLOCK
    wanted = heard[len(heard) - before - last : len(heard) - before]
    assert np.abs(rest[-last:] - wanted).max() < 1e-6


def test_a_voice_that_is_too_slow_is_heard_with_gaps(stream: VoiceStream) -> None:
    """By a clock of its own: converting takes a tenth longer than speaking."""
    bridge, heard, out = Bridge(stream, cushion=0.02), noise(BLOCK * 3000), []
    turn, push = threading.Semaphore(0), stream.push

    def slow(samples: np.ndarray) -> np.ndarray:
        turn.acquire()
        return push(samples)

    stream.push = slow  # type: ignore[method-assign]
    for number in range(3000):
        at = number * BLOCK / RATE
        block = heard[number * BLOCK : (number + 1) * BLOCK]
        out.append(bridge.exchange(block, heard_at=at, played_at=at + 0.02))
        with bridge._lock:
            left = bridge._waiting
        if number % 11:
            turn.release()
            while bridge._waiting == left and bridge.error is None:
                time.sleep(0.0002)
    status = bridge.status()
    later = np.concatenate(out)[BLOCK * 1500 :]
    assert np.count_nonzero(later) > 0.85 * len(later)
    assert 0.5 < status.latency < 1.5
    assert status.dropped > 1
    assert len(bridge._arrivals) < 200
    turn.release(3000)
    bridge.close()


def test_blocks_that_grow_are_waited_for(stream: VoiceStream) -> None:
    bridge, heard, start = Bridge(stream, cushion=0.02), noise(RATE * 2), 0
    sizes = [64] * 20 + [1024, 220] * 20
    for size in sizes:
        at = start / RATE
        bridge.exchange(heard[start : start + size], heard_at=at, played_at=at + size / RATE)
        settle(bridge)
        start += size
    bridge.close()
    assert bridge.status().under_runs <= 1


def test_what_the_sound_card_loses_is_counted(stream: VoiceStream) -> None:
    bridge = Bridge(stream, cushion=0.02)
    for flawed in (False, True, True):
        bridge.exchange(noise(BLOCK), heard_at=0, played_at=0.1, flawed=flawed)
    bridge.close()
    assert bridge.status().under_runs == 2


def test_what_cannot_be_caught_up_with_is_dropped(stream: VoiceStream) -> None:
    bridge, heard = Bridge(stream, cushion=0.0), noise(BLOCK * 300)
    exchange(bridge, heard[: BLOCK * 20])
    held = hold_back(stream)
    exchange(bridge, heard[BLOCK * 20 :], wait=False)
    assert bridge._heard.qsize() <= RATE / BLOCK + 1
    assert bridge.status().dropped == pytest.approx(280 * BLOCK / RATE - 1, abs=0.05)
    held.set()
    settle(bridge)
    played = exchange(bridge, heard[: BLOCK * 50])
    bridge.close()
    assert played[-BLOCK:].any()


def test_an_error_of_the_voice_is_kept(stream: VoiceStream) -> None:
    bridge = Bridge(stream, cushion=0.0)
    exchange(bridge, np.full(BLOCK, np.nan, np.float32))
    bridge.close()
    assert "NaN" in str(bridge.error)


class FakeError(Exception):
    """What sounddevice raises."""


class FakeStream:
    """A sound card whose blocks come every 10 ms."""

    ended_after = 1e9  # blocks

    def __init__(self, *, samplerate: int, callback: Any, device: Any, **options: Any) -> None:
        if samplerate == 12345:
            raise FakeError("Invalid sample rate [PaErrorCode -9997]")
        assert device == (0, 1)
        assert options == {"channels": 1, "dtype": "float32", "latency": "low"}
        self._rate, self._callback, self._stop = samplerate, callback, threading.Event()
        self.active = True

    def __enter__(self) -> "FakeStream":
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        block, number = self._rate // 100, 0
        heard = noise(block)[:, np.newaxis]
        while not self._stop.wait(0.01) and number < self.ended_after:
            clock = SimpleNamespace(
                inputBufferAdcTime=number / 100, outputBufferDacTime=number / 100 + 0.02
            )
            played = np.full((block, 1), np.nan, np.float32)
            self._callback(heard, played, block, clock, None)
            assert np.isfinite(played).all()
            number += 1
        self.active = False


def fake_sounddevice(devices: list[dict[str, Any]]) -> Any:
    def query_devices(name: int | str | None = None, kind: str | None = None) -> Any:
        if kind is None:
            return devices
        fitting = [one for one in devices if one[f"max_{kind}_channels"]]
        if name is None:
            if not fitting:
                raise FakeError("Error querying device -1")
            return fitting[0]
        if isinstance(name, int):
            return devices[name]
        found = [one for one in fitting if name in one["name"]]
        if len(found) != 1:
            raise ValueError(f"{len(found)} {kind} devices match {name!r}")
        return found[0]

    return SimpleNamespace(PortAudioError=FakeError, Stream=FakeStream, query_devices=query_devices)


DEVICES = [
    {"name": "Microphone", "index": 0, "max_input_channels": 1, "max_output_channels": 0},
    {"name": "Headphones", "index": 1, "max_input_channels": 0, "max_output_channels": 2},
]


@pytest.fixture
def model(tmp_path: Path) -> str:
    return str(tiny_converter(tmp_path / "tiny.onnx", kernel=31, alignment=8))


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> None:
    devices = [one | {"default_samplerate": 48000.0} for one in DEVICES]
    monkeypatch.setitem(sys.modules, "sounddevice", fake_sounddevice(devices))


@pytest.mark.usefixtures("card")
def test_the_command_converts_until_its_time_is_over(
    model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["live", "-m", model, "--seconds", "1", "--device", "cpu"]) == 0
    said = capsys.readouterr().err
    assert "tiny-voice@1 on cpu: Microphone to Headphones, 48000 Hz" in said
    assert "(model 1, step 40, resampling 3, limiter 10, cushion 20)" in said
    behind = float(said.partition("ended: ")[2].partition(" ms behind")[0])
    assert 50 < behind < 400
    assert "lost" not in said


@pytest.mark.usefixtures("card")
def test_devices_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["live", "--list-devices"]) == 0
    assert capsys.readouterr().out == (
        "  0  Microphone  (1 in, 0 out, 48000 Hz)\n  1  Headphones  (0 in, 2 out, 48000 Hz)\n"
    )


@pytest.mark.usefixtures("card")
def test_ctrl_c_ends_it(
    model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("anamorph.commands.live.time.sleep", interrupt)
    assert main(["live", "-m", model]) == 0
    assert "ended: 0 ms behind, 0 under-runs" in capsys.readouterr().err


@pytest.mark.usefixtures("card")
@pytest.mark.parametrize(
    ("options", "message", "code"),
    [
        (["--input", "Trumpet"], "--input Trumpet: 0 input devices match 'Trumpet'", 1),
        (["--input", "1"], "--input 1: Headphones has no input", 1),
        (["--rate", "12345"], "12345 Hz from Microphone to Headphones: Invalid sample rate", 1),
        (["--rate", "100"], "sample rate 100: 8000 to 192000 Hz are accepted", 1),
        (["--cushion", "-1"], "--cushion -1: 0 to 1000 milliseconds", 2),
        (["--seconds", "0"], "--seconds 0: must be above 0", 2),
    ],
)
def test_what_is_refused(
    model: str,
    options: list[str],
    message: str,
    code: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["live", "-m", model, *options]) == code
    assert message in capsys.readouterr().err


def test_no_model_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["live"]) == 2
    assert "give --model NAME, or --list-devices" in capsys.readouterr().err


@pytest.mark.usefixtures("card")
def test_a_device_that_goes_away(
    model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(FakeStream, "ended_after", 20)
    assert main(["live", "-m", model]) == 1
    assert "the sound device went away" in capsys.readouterr().err


@pytest.mark.parametrize("devices", [[], DEVICES[1:]])
def test_no_microphone_is_there(
    model: str,
    devices: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", fake_sounddevice(devices))
    assert main(["live", "-m", model]) == 1
    assert "no audio input device is present; plug one in" in capsys.readouterr().err
    if not devices:
        assert main(["live", "--list-devices"]) == 0
        assert capsys.readouterr().out == "no audio device is present\n"


def test_without_the_extra_or_its_library(
    model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert main(["live", "-m", model]) == 1
    assert "`anamorph live` needs sounddevice: pip install 'anamorph[live]'" in (
        capsys.readouterr().err
    )

    class Finder:
        def find_spec(self, name: str, *rest: object) -> None:
            if name == "sounddevice":
                raise OSError("PortAudio library not found")

    monkeypatch.delitem(sys.modules, "sounddevice")
    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
    assert main(["live", "-m", model]) == 1
    said = capsys.readouterr().err
    assert "PortAudio library not found" in said
    assert "apt-get install libportaudio2" in said
