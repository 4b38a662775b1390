"""Sixteen clients at once: honest answers, right ones, and memory that does not grow."""

import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import httpx
import numpy as np
import pytest
import soundfile

import anamorph
from anamorph.audio import Audio
from anamorph.picture import Picture
from anamorph_ui.samples import CAT, SENTENCE

SECONDS = float(os.environ.get("ANAMORPH_LOAD_SECONDS", "60"))
CLIENTS = 16
MOST = 400  # requests of one client
WARM_UP = 0.25  # of the time


def resident(process: "subprocess.Popen[str]") -> float:
    """Return MB that a process holds."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+)", status)
    assert found is not None
    return int(found[1]) * 1024 / 1e6


class Visitor:
    """Asks for one thing after the other, and holds every answer against the library's.

    Args:
        folder: For a recording.
    """

    expected: ClassVar = {"voice": 200, "picture": 200, "list": 200, "wrong": 422, "page": 200}

    def __init__(self, folder: Path) -> None:
        clip = folder / "clip.wav"
        soundfile.write(clip, Audio.open(SENTENCE).samples[:16_000], 16_000)
        self.sound, self.photo = clip.read_bytes(), CAT.read_bytes()
        self.voice = anamorph.load("nathalie", device="cpu").convert(clip).samples
        self.large = anamorph.load("photo-x2", device="cpu").upscale(CAT).pixels

    def ask(self, client: httpx.Client, number: int) -> tuple[str, int]:
        """Return what was asked for, and the status of the answer."""
        kind = list(self.expected)[number % 5]
        if kind == "voice":
            found = client.post("/v1/convert", files={"file": ("a.wav", self.sound)})
            if found.status_code == 200:
                made = Audio.open(found.content).samples
                assert np.abs(made - self.voice).max() <= 1.01 / 2**15
        elif kind == "picture":
            data = {"model": "photo-x2"}
            found = client.post("/v1/upscale", files={"file": ("a.jpg", self.photo)}, data=data)
            if found.status_code == 200:
                assert np.array_equal(Picture.open(found.content).pixels, self.large)
        elif kind == "wrong":
            found = client.post("/v1/convert", files={"file": ("a.wav", b"no sound")})
        else:
            found = client.get("/v1/models" if kind == "list" else "/")
        return kind, found.status_code


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads memory from /proc")
@pytest.mark.timeout(SECONDS + 120)
def test_sixteen_clients_at_once(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    visitor = Visitor(tmp_path)
    called = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "anamorph", "serve", "--port", "0", "--device", "cpu"],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    url = re.findall(r"http://[\d.]+:\d+", process.stderr.readline())[0]
    begun = time.perf_counter()
    record_property("start", f"{begun - called:.1f} s, {resident(process):.0f} MB")
    memory: list[float] = []

    def visit(first: int) -> Counter[tuple[str, int]]:
        seen: Counter[tuple[str, int]] = Counter()
        with httpx.Client(base_url=url, timeout=60) as client:
            for number in range(first, first + MOST):
                spent = time.perf_counter() - begun
                if spent > SECONDS:
                    break
                if first == 0 and spent > WARM_UP * SECONDS and not memory:
                    memory.append(resident(process))
                seen[visitor.ask(client, number)] += 1
        return seen

    try:
        with ThreadPoolExecutor(CLIENTS) as pool:
            seen = sum(pool.map(visit, range(CLIENTS)), Counter[tuple[str, int]]())
        memory.append(resident(process))
        health = httpx.get(f"{url}/healthz").json()
    finally:
        process.terminate()
        said = process.stderr.read()
        process.wait(30)
    record_property("answers", str(dict(seen)))
    record_property("megabytes", str(memory))
    for (kind, status), count in seen.items():
        assert status in (visitor.expected[kind], 429, 503), (kind, status, count)
    for kind, status in visitor.expected.items():
        assert seen[kind, status] > 0
    assert health["jobs"] == 0
    assert memory[1] < 1.1 * memory[0]
    assert said == ""
