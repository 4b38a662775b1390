"""The zoo's codes, detectors and finder of outliers do what their cards say."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anamorph
from anamorph.manifest import ZOO
from anamorph.picture import Picture

NAMES = ("digits-2d", "digits", "sprites", "faces")
SHARE = 8_000_000  # bytes of the zoo that these may take


def digit(seed: int = 0) -> np.ndarray:
    """Return a white stroke on black, 28 x 28: a one, more or less."""
    picture = np.zeros((28, 28, 3), np.uint8)
    picture[5:23, 13 + seed % 2 : 16] = 255
    return picture


@pytest.mark.parametrize("name", NAMES)
def test_codes_come_back_as_pictures(name: str) -> None:
    model = anamorph.load(name)
    card = model.card
    assert card.gate is not None
    assert card.provenance is not None
    assert card.prior == "normal"
    assert len(model.latents) == model.latent_width
    made = model.reconstruct(digit())
    assert (made.height, made.width) == (card.height, card.width)
    assert len(model.sample(3)) == 3
    assert model.active()


def test_single_latents_of_sprites_are_places() -> None:
    model = anamorph.load("sprites")
    centres = []
    for dim in model.active():
        ends = [np.nonzero(p.pixels[..., 0] > 127) for p in model.traverse(model.middle(), dim)]
        kept = [(float(r.mean()), float(c.mean())) for r, c in ends if len(r)]
        centres.append(np.ptp(np.array(kept), axis=0))
    moved = np.array(centres)  # (latents, down and across), in pixels
    for axis in range(2):
        best = int(moved[:, axis].argmax())
        assert moved[best, axis] > 20
        assert moved[best, 1 - axis] < 8  # and not along the other axis


def test_a_digit_is_normal_and_noise_is_not() -> None:
    finder = anamorph.load("digits-outliers")
    noise = np.random.default_rng(0).integers(0, 255, (28, 28, 3)).astype(np.uint8)
    assert finder.measure(digit()).strangeness < finder.measure(noise).strangeness
    assert finder.measure(noise).outlier


@pytest.mark.parametrize("name", ["magnetic-tile", "chest-xray"])
def test_a_detector_sees_a_blot(name: str) -> None:
    detector = anamorph.load(name)
    rows, columns = np.mgrid[0:90, 0:70]
    grey = (90 + 20 * np.sin(rows / 40) + 15 * np.cos(columns / 30)).astype(np.uint8)
    clean = np.stack([grey] * 3, 2)
    blotted = clean.copy()
    blotted[30:50, 20:40] = 255
    found: Any = detector.detect(blotted)
    before = detector.detect(clean).heat[30:50, 20:40].mean()
    assert found.heat[30:50, 20:40].mean() > 2 * before
    for quantity in ("heat", "score"):
        assert 0 < detector.card.calibrations[quantity].false_positive_rate < 0.06


def test_they_keep_to_their_share_of_the_zoo() -> None:
    mine = [*NAMES, "magnetic-tile", "chest-xray", "digits-outliers"]
    files = [f for name in mine for f in ZOO.glob(f"{name}*.onnx") if f.stem.split(".")[0] == name]
    assert len(files) == 11
    assert sum(file.stat().st_size for file in files) <= SHARE
    assert sum(file.stat().st_size for file in ZOO.glob("*.onnx")) <= 60_000_000


def test_a_face_can_be_changed_into_another(tmp_path: Path) -> None:
    model = anamorph.load("faces")
    first, second = (model.sample(1, seed=seed)[0] for seed in (1, 2))
    between = model.interpolate(model.encode(first), model.encode(second), steps=5)
    differences = [
        float(np.abs(one.pixels.astype(int) - between[0].pixels).mean()) for one in between
    ]
    assert differences == sorted(differences)
    between[2].save(tmp_path / "face.png")
    assert Picture.open(tmp_path / "face.png").width == 64
