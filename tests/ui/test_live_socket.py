"""Live conversion through a WebSocket."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from tests.runtime.test_converter import noise
from tests.runtime.tiny_voices import tiny_converter
from tests.ui.servers import Running
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

import anamorph
from anamorph_ui.jobs import Job


@pytest.fixture
def name(server: Running, tmp_path: Path) -> str:
    path = tiny_converter(tmp_path / "tiny.onnx", kernel=31, alignment=8)
    return server.workshop.shelf.add(path.read_bytes(), name="tiny.onnx").name


def dial(server: Running, query: str) -> ClientConnection:
    return connect(f"{server.url.replace('http', 'ws')}/v1/live?{query}")


def test_what_comes_back_is_what_a_stream_gives(server: Running, name: str) -> None:
    samples = noise(30_000)
    made: list[bytes] = []
    with dial(server, f"model={name}&rate=22050&gain_db=6") as socket:
        told = json.loads(socket.recv())
        for start in range(0, len(samples), 500):
            socket.send(samples[start : start + 500].astype("<f4").tobytes())
        socket.send("end")
        while sum(map(len, made)) < 4 * len(samples):
            message = socket.recv(timeout=30)
            if isinstance(message, bytes):
                made.append(message)
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=30)
    stream = anamorph.load(server.workshop.shelf.find(name).path, device="cpu", threads=1).stream(
        sample_rate=22050, gain_db=6
    )
    expected = np.concatenate([stream.push(samples), stream.flush()])
    assert np.abs(np.frombuffer(b"".join(made), "<f4") - expected).max() <= 1e-5
    assert told["latency"] == pytest.approx(stream.latency)
    assert told["delays"].keys() == stream.delays.keys()


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("model=nobody", "nobody: no such model here"),
        ("model=photo-x4", "is a model for 'upscale', not for 'convert'"),
        ("model={name}&rate=1", "8000"),
        ("model={name}&gain_db=1000", "gain"),
        ("model=" + "%C3%A9" * 100, "\N{LATIN SMALL LETTER E WITH ACUTE}" * 60),
    ],
)
def test_what_makes_no_sense_is_refused(
    server: Running, name: str, query: str, reason: str
) -> None:
    refused = pytest.raises(ConnectionClosed)
    with dial(server, query.format(name=name)) as socket, refused as caught:
        socket.recv(timeout=30)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1008
    assert reason in caught.value.rcvd.reason


@pytest.mark.parametrize("data", [b"\0" * 3, b"\0" * (2**20 + 4)])
def test_broken_and_enormous_messages_end_it(server: Running, name: str, data: bytes) -> None:
    with dial(server, f"model={name}") as socket:
        socket.recv()
        socket.send(data)
        with pytest.raises(ConnectionClosed) as caught:
            socket.recv(timeout=30)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1008


def test_nan_ends_it(server: Running, name: str) -> None:
    with dial(server, f"model={name}") as socket:
        socket.recv()
        socket.send(np.array([np.nan], "<f4").tobytes())
        with pytest.raises(ConnectionClosed) as caught:
            socket.recv(timeout=30)
    assert caught.value.rcvd is not None
    assert "NaN" in caught.value.rcvd.reason


def test_no_more_than_a_few_at_a_time(server: Running, name: str) -> None:
    most = server.workshop.limits.live
    sockets = [dial(server, f"model={name}") for _ in range(most)]
    for socket in sockets:
        socket.recv()
    with dial(server, f"model={name}") as refused, pytest.raises(ConnectionClosed) as caught:
        refused.recv(timeout=30)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1013
    for socket in sockets:
        socket.close()
    with dial(server, f"model={name}") as socket:
        assert "latency" in json.loads(socket.recv(timeout=30))


def test_whoever_says_nothing_is_sent_away(
    server: Running, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anamorph_ui.live_socket._PATIENCE", 0.2)
    with dial(server, f"model={name}") as socket:
        socket.recv()
        with pytest.raises(ConnectionClosed) as caught:
            socket.recv(timeout=30)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.reason == "nothing came for 0.2 s"


def test_jobs_that_wait_do_not_hold_a_voice_up(server: Running, name: str) -> None:
    job = Job()
    server.workshop.desk.enter(job)
    with server.workshop.desk.turn(job), ThreadPoolExecutor(16) as pool:
        for _ in range(16):
            pool.submit(server.client.post, "/v1/convert", files={"file": ("a.wav", b"no sound")})
        while server.workshop.desk.length < 17:
            time.sleep(0.01)
        with dial(server, f"model={name}") as socket:
            assert "latency" in json.loads(socket.recv(timeout=5))
            socket.send(noise(4000).astype("<f4").tobytes())
            assert socket.recv(timeout=5)
        server.workshop.desk.leave(job)
