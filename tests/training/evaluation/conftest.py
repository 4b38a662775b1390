"""Recordings of two voices, for what is measured by the extra ``evaluate``."""

from pathlib import Path

import pytest
from tests.training.conftest import spoken_wave

from anamorph_training.data.speech import write_wav

RATE = 22050


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    for module in ("pyworld", "resemblyzer", "speechmos"):
        pytest.importorskip(module, reason="the extra evaluate is not installed")
    made = tmp_path / "one", tmp_path / "other"
    for number, folder in enumerate(made):
        folder.mkdir()
        for name in "ab":
            seed = 10 * number + ord(name)
            write_wav(folder / f"{name}.wav", spoken_wave(seed, seconds=1.5), RATE)
    return made
