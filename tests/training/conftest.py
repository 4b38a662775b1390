"""One thread per test, and a small folder of pictures made on the spot."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from anamorph.picture import Picture


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("ANAMORPH_CACHE", str(tmp_path / "cache"))
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def smooth_picture(seed: int, height: int, width: int) -> NDArray[np.uint8]:
    """Return uint8 (height, width, 3): coloured waves, so that there is something to learn."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:height, 0:width]
    waves = [
        np.sin(rows * generator.uniform(0.05, 0.6) + columns * generator.uniform(0.05, 0.6))
        for _ in range(3)
    ]
    return (127 + 120 * np.stack(waves, axis=2)).astype(np.uint8)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Return a folder of six pictures of 48 x 64 pixels."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in range(6):
        Picture(smooth_picture(seed, 48, 64)).save(folder / f"{seed}.png")
    return folder


def spoken_wave(seed: int, *, seconds: float, rate: int = 22050) -> NDArray[np.float32]:
    """Return float32 (samples,): a gliding pulse train through two resonances, like a vowel."""
    generator = np.random.default_rng(seed)
    time = np.arange(int(seconds * rate)) / rate
    pitch = generator.uniform(90, 220) * (1 + 0.1 * np.sin(2 * np.pi * 3 * time))
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    first, second = generator.uniform(300, 900), generator.uniform(1000, 2500)
    voice = np.zeros_like(time)
    for k in range(1, 30):
        nearness = [1 / (1 + ((k * pitch - f) / 200) ** 2) for f in (first, second)]
        voice += sum(nearness) * np.cos(k * phase)
    noise = generator.normal(0, 0.002, len(time))
    loud: NDArray[np.float32] = (0.3 * voice / np.abs(voice).max() + noise).astype(np.float32)
    return loud
