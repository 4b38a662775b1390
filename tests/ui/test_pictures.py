"""What the page draws: pitch, spectrograms, and pictures before and after."""

import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

import anamorph
from anamorph.picture import Picture
from anamorph_ui.comparison import compare
from anamorph_ui.pitch import find_pitch
from anamorph_ui.samples import CAT, SENTENCE
from anamorph_ui.spectrograms import describe, draw, hear

RATE = 16_000


def buzz(pitch: float, seconds: float = 1.0) -> np.ndarray:
    time = np.arange(int(seconds * RATE)) / RATE
    harmonics = range(1, int(4000 / pitch))
    wave = np.sum([np.sin(2 * np.pi * pitch * n * time) / n for n in harmonics], axis=0)
    made: np.ndarray = (0.1 * wave).astype(np.float32)
    return made


@pytest.mark.parametrize("pitch", [70.0, 110.0, 157.0, 230.0, 440.0])
def test_the_pitch_of_a_buzz_is_found(pitch: float) -> None:
    found = find_pitch(buzz(pitch), RATE, least=60, greatest=500, frame=1024, hop=256)
    assert len(found) == 1 + RATE // 256
    assert np.isfinite(found).mean() > 0.9
    assert np.nanmedian(found) == pytest.approx(pitch, rel=0.01)


def test_noise_and_silence_have_no_pitch() -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, RATE).astype(np.float32)
    for samples in (noise, np.zeros(RATE, np.float32), np.zeros(10, np.float32)):
        found = find_pitch(samples, RATE, least=60, greatest=500, frame=1024, hop=256)
        assert np.isfinite(found).mean() < 0.1


def test_a_quiet_stretch_between_is_not_voiced() -> None:
    samples = np.concatenate([buzz(150), 1e-4 * buzz(150)])
    found = find_pitch(samples, RATE, least=60, greatest=500, frame=1024, hop=256)
    assert np.isfinite(found[:60]).all()
    assert not np.isfinite(found[-60:]).any()


def test_recordings_are_described_and_drawn(tmp_path: Path) -> None:
    after = tmp_path / "after.wav"
    soundfile.write(after, np.concatenate([buzz(200), np.zeros(100)]), RATE)
    heard = hear(SENTENCE), hear(after)
    assert heard[0].seconds == pytest.approx(5.9, abs=0.1)
    assert heard[1].median_pitch == pytest.approx(200, rel=0.01)
    assert re.match(
        r"1\.0 s; median pitch 1\d\d Hz before and 200 Hz after \(\+1\d", describe(*heard)
    )
    picture = Picture.open(draw(*heard))
    assert picture.width > 900
    assert picture.pixels[..., 3].min() == 0  # on whatever the page has behind it


def test_silence_is_drawn_too(tmp_path: Path) -> None:
    path = tmp_path / "silence.wav"
    soundfile.write(path, np.zeros(4000), RATE)
    heard = hear(path)
    assert (heard.level_db, heard.median_pitch) == (None, None)
    assert describe(heard, heard) == "0.2 s"
    assert draw(heard, heard)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_a_picture_is_shown_at_one_pixel_per_pixel(tmp_path: Path, dtype: str) -> None:
    small = Picture.open(CAT).pixels
    if dtype == "uint16":
        small = small.astype(np.uint16) * 257
    elif dtype == "float32":
        small = small.astype(np.float32) / 255
    before, after = tmp_path / "small.tiff", tmp_path / "large.tiff"
    Picture(small).save(before)
    anamorph.load("photo-x2", device="cpu").upscale_file(before, after)
    shown = compare(before, after, name="photo-<x2>")
    assert shown.words.startswith("112 x 75 pixels became 224 x 150, ")
    assert shown.html.count('width="224" height="150"') == 2
    assert "photo-&lt;x2&gt; enlarged it, 224 x 150 pixels" in shown.html
    assert len(re.findall(r'alt="[^"]+"', shown.html)) == 2


def test_of_a_large_picture_the_middle_is_shown(tmp_path: Path) -> None:
    before, after = tmp_path / "small.png", tmp_path / "large.png"
    Picture(np.zeros((30, 900), np.uint8)).save(before)
    Picture(np.zeros((60, 1800), np.uint8)).save(after)
    shown = compare(before, after, name="x2")
    assert shown.words.endswith("the middle is shown, 1600 x 60")
    assert shown.html.count('width="1600" height="60"') == 2
