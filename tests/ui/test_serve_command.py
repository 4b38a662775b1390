"""`anamorph serve` from the command line."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest

from anamorph.cli import main
from anamorph.picture import Picture

LOADED = """
import json, sys
from anamorph_ui.server import build_server
from anamorph_ui.limits import Limits
from anamorph_ui.workshop import Workshop
build_server(Workshop(Limits(), device="cpu"))
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
"""


def start(folder: Path) -> "subprocess.Popen[str]":
    """Begin to serve, with temporary files in a folder."""
    return subprocess.Popen(
        [sys.executable, "-m", "anamorph", "serve", "--port", "0", "--device", "cpu"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(folder)},
    )


def test_a_server_says_where_it_is_and_leaves_nothing(tmp_path: Path) -> None:
    process = start(tmp_path)
    assert process.stderr is not None
    said = process.stderr.readline()
    found = re.fullmatch(r"Anamorph is at (http://127\.0\.0\.1:\d+) \(Ctrl-C ends\)\n", said)
    assert found is not None, said + process.stderr.read()
    assert httpx.get(f"{found[1]}/healthz").json() == {"status": "ok", "loaded": 0, "jobs": 0}
    assert "Anamorph" in httpx.get(found[1]).text
    assert httpx.get(found[1], headers={"Host": "elsewhere"}).status_code == 421
    (folder,) = tmp_path.glob("anamorph-*")
    assert folder.stat().st_mode & 0o077 == 0  # nobody else looks in
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert process.stderr.read() == ""
    assert list(tmp_path.glob("anamorph-*")) == []


def test_jobs_end_with_the_server(tmp_path: Path) -> None:
    process = start(tmp_path)
    assert process.stderr is not None
    url = re.findall(r"http://[\d.]+:\d+", process.stderr.readline())[0]
    large = tmp_path / "large.png"
    noise = np.random.default_rng(1).integers(0, 256, (1500, 1500, 3), np.uint8)
    Picture(noise).save(large)

    def ask() -> int:
        files = {"file": ("large.png", large.read_bytes())}
        try:
            return httpx.post(f"{url}/v1/upscale", files=files, timeout=60).status_code
        except httpx.TransportError:
            return 0

    with ThreadPoolExecutor() as pool:
        asked = [pool.submit(ask) for _ in range(3)]
        while httpx.get(f"{url}/healthz").json()["jobs"] < 3:
            time.sleep(0.05)
        begun = time.perf_counter()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert time.perf_counter() - begun < 10
        assert {one.result() for one in asked} <= {0, 499, 503}
    assert process.stderr.read() == ""
    assert list(tmp_path.glob("anamorph-*")) == []


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--host", "0.0.0.0"], 2, "--host 0.0.0.0: everybody who can reach it could use it"),
        (["--share"], 2, "--share: everybody who can reach it could use it"),
        (["--auth", "nobody"], 2, "--auth nobody: give NAME:PASSWORD"),
        (["--auth", ":secret"], 2, "give NAME:PASSWORD"),
        (["--port", "70000"], 2, "65535"),
        (["--megapixels", "0"], 2, "0"),
        (["--host", "203.0.113.7", "--insecure"], 1, "203.0.113.7:7860: cannot listen there"),
    ],
)
def test_what_is_refused(
    arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", *arguments]) == code
    assert message in capsys.readouterr().err


def test_a_public_address_that_cannot_be_had(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*arguments: object) -> str:
        raise RuntimeError("no network")

    monkeypatch.setattr("gradio.networking.setup_tunnel", fail)
    assert main(["serve", "--share", "--auth", "me:secret", "--port", "0"]) == 1
    said = capsys.readouterr().err
    assert "no public address can be had (no network); go without --share" in said


def test_without_gradio_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("anamorph_ui.server", "anamorph_ui.listening"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert main(["serve", "--port", "0"]) == 1
    said = capsys.readouterr().err
    assert "the page needs uvicorn; install it with: pip install 'anamorph[ui]'" in said


def test_a_port_that_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", "--port", str(port)]) == 1
    assert "is another server running? Give another --port" in capsys.readouterr().err


def test_the_page_needs_no_training_packages_and_loads_no_model_or_plotter_before_it_is_used() -> (
    None
):
    done = subprocess.run(
        [sys.executable, "-c", LOADED], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(done.stdout))
    assert not {"torch", "onnx", "librosa", "numba", "matplotlib", "anamorph_training"} & loaded
    assert not {"onnxruntime", "pyvips", "soundfile"} & loaded
