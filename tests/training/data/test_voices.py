"""Voices of a run: aligned copies, statistics, held-out utterances, crops by seed and step."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.training.conftest import spoken_wave

from anamorph.card import Dataset
from anamorph.errors import InputError, UnavailableError
from anamorph_training.data import perturbation
from anamorph_training.data.disguise import add_noise, transplant
from anamorph_training.data.perturbation import (
    Perturbation,
    draw_perturbation,
    find_envelope,
    perturb,
    prepare_copies,
)
from anamorph_training.data.recordings import Recording, find_recordings
from anamorph_training.data.speech import write_wav
from anamorph_training.data.voices import (
    STATISTICS,
    Crops,
    Disguise,
    Utterance,
    Voice,
    draw_crops,
    draw_mask,
    prepare_voice,
    statistics_of,
    unscaled,
)
from anamorph_training.spectra import log_mel

RATE = 22050


def voice(folder: Path, *, count: int = 3, variants: int = 0, seconds: float = 0.6) -> Voice:
    folder.mkdir(exist_ok=True)
    for seed in range(count):
        write_wav(folder / f"{seed}.wav", spoken_wave(seed, seconds=seconds), RATE)
    return prepare_voice(
        find_recordings([folder]),
        variants=variants,
        cache=folder / "cache",
        name="waves",
        licence="CC0-1.0",
        report=lambda line: None,
    )


def test_one_in_twenty_is_held_out(tmp_path: Path) -> None:
    made = voice(tmp_path / "a")
    assert (len(made.training), len(made.held)) == (2, 1)
    assert made.dataset.items == 2
    assert made.training[0].statistics.shape == (STATISTICS,)
    with pytest.raises(InputError, match="fewer than two recordings"):
        voice(tmp_path / "b", count=1)


@pytest.mark.usefixtures("few_descriptors")
def test_more_recordings_than_a_process_may_open_files(tmp_path: Path) -> None:
    made = voice(tmp_path / "a", count=160, seconds=0.1)
    assert len(made.training) + len(made.held) == 160
    assert (tmp_path / "a" / "0.wav").read_bytes()  # a file can still be opened


def test_seed_and_step_decide_the_crops(tmp_path: Path) -> None:
    one = voice(tmp_path / "a")

    def draw(step: int, seed: int = 1) -> torch.Tensor:
        crops = draw_crops(step, source=one, target=one, batch=4, frames=16, seed=seed)
        assert crops.source.shape == crops.target_copy.shape == (4, 80, 16)
        assert crops.source_statistics.shape == (4, STATISTICS)
        assert torch.equal(crops.source, crops.source_copy)  # no copies were asked for
        return crops.source

    assert torch.equal(draw(3), draw(3))
    assert not torch.equal(draw(3), draw(4))
    assert not torch.equal(draw(3), draw(3, seed=2))


def test_short_utterances_are_followed_by_silence(tmp_path: Path) -> None:
    one = voice(tmp_path / "a")
    crops = draw_crops(0, source=one, target=one, batch=2, frames=200, seed=1)
    assert crops.target[:, :, -20:].max() == pytest.approx(np.log(1e-5), abs=0.01)


def test_statistics_are_near_nought_and_tell_voices_apart() -> None:
    mels = [log_mel(torch.from_numpy(spoken_wave(s, seconds=1))[None])[0].numpy() for s in (0, 1)]
    one, other = (statistics_of(mel) for mel in mels)
    assert np.abs(one).mean() < 2
    assert np.abs(one - other).mean() > 0.05


def test_perturbations_stay_within_their_bounds() -> None:
    generator = np.random.default_rng(0)
    drawn = [draw_perturbation(generator) for _ in range(200)]
    assert min(one.pitch for one in drawn) >= 0.55
    assert max(one.pitch for one in drawn) <= 1.7
    assert {one.formants > 1 for one in drawn} == {True, False}


def test_a_copy_has_its_pitch_and_its_time() -> None:
    pyworld = pytest.importorskip("pyworld", reason="the extra evaluate is not installed")
    given = spoken_wave(0, seconds=1)
    same, higher = perturb(given, RATE, [Perturbation(1, 1, 0), Perturbation(1.5, 1, 0)])

    def pitch(samples: np.ndarray) -> float:
        found, _ = pyworld.harvest(samples.astype(np.float64), RATE)
        return float(np.median(found[found > 0]))

    assert same.shape == higher.shape == given.shape
    assert pitch(same) == pytest.approx(pitch(given), rel=0.03)
    assert pitch(higher) == pytest.approx(1.5 * pitch(given), rel=0.05)
    assert np.sqrt(np.mean(higher**2)) == pytest.approx(np.sqrt(np.mean(given**2)), rel=0.05)


def test_copies_are_kept_and_aligned(tmp_path: Path) -> None:
    pytest.importorskip("pyworld", reason="the extra evaluate is not installed")
    first = voice(tmp_path / "a", variants=2)
    for one in first.training:
        assert [copy.shape for copy in one.copies] == [one.mel.shape] * 2
        assert not np.array_equal(one.copies[0], one.copies[1])
    again = voice(tmp_path / "a", variants=2)
    assert np.array_equal(again.training[0].copies[0], first.training[0].copies[0])


def test_copies_without_pyworld_say_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyworld", None)
    with pytest.raises(UnavailableError, match=r"anamorph\[evaluate\].*--variants 0"):
        perturbation.load_world()


def test_masks_hide_one_stretch_of_each_crop() -> None:
    given = torch.zeros(50, 80, 40)
    mask = draw_mask(0, like=given, greatest_share=0.25, seed=1)
    assert mask.shape == (50, 1, 40)
    hidden = (mask == 0).sum(2)
    assert int(hidden.max()) == 10
    assert (mask.diff(dim=2).abs().sum(2) <= 2).all()  # one stretch, with two ends at most
    assert torch.equal(mask, draw_mask(0, like=given, greatest_share=0.25, seed=1))
    assert not torch.equal(mask, draw_mask(1, like=given, greatest_share=0.25, seed=1))
    assert (draw_mask(0, like=given, greatest_share=0.0, seed=1) == 1).all()


def test_transplanted_copies_look_like_the_other_utterance() -> None:
    one, other = (
        log_mel(torch.from_numpy(spoken_wave(seed, seconds=1))[None])[0].numpy() for seed in (0, 1)
    )
    own, given = (unscaled(statistics_of(mel)) for mel in (one, other))
    np.testing.assert_allclose(own, [one.mean(1), one.std(1)], atol=1e-4)
    np.testing.assert_allclose(transplant(one, own, given, 0), one, atol=1e-5)
    before, after = (np.abs(mel.mean(1) - other.mean(1)).mean() for mel in (one, moved(one, other)))
    assert after < 0.2 * before


def moved(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    own, given = (unscaled(statistics_of(mel)) for mel in (one, other))
    return transplant(one, own, given, 1)


def test_noise_fills_silence_and_leaves_loud_bands() -> None:
    mel = np.full((80, 50), np.log(1e-5), np.float32)
    mel[:10] = 0
    noisy = add_noise(mel, np.random.default_rng(0))
    assert np.abs(noisy[:10] - mel[:10]).max() < 0.05
    assert (noisy[10:] > mel[10:]).all()
    assert noisy.dtype == np.float32


def test_only_copies_are_disguised(tmp_path: Path) -> None:
    pytest.importorskip("pyworld")
    one, other = (voice(tmp_path / name, variants=1) for name in "ab")

    def draw(disguise: Disguise) -> Crops:
        return draw_crops(
            0, source=one, target=other, batch=2, frames=30, seed=1, disguise=disguise
        )

    plain, transplanted, noisy = (draw(Disguise(*shares)) for shares in ((0, 0), (1, 0), (0, 1)))
    assert torch.equal(plain.target[0], noisy.target[0])  # what is drawn first
    assert not torch.equal(plain.target_copy[0], transplanted.target_copy[0])
    assert (noisy.target_copy[0] >= plain.target_copy[0]).all()


def test_copies_far_in_pitch_are_drawn_more_often() -> None:
    shifts = np.array([-0.5, 0.1, 0.25])
    marked = tuple(np.full((80, 40), float(index), np.float16) for index in range(3))
    silence = Recording(np.zeros(40 * 256, np.int16), 11025.0, Path("silence"))
    one = Utterance(marked[0], marked, np.zeros(STATISTICS, np.float32), silence, shifts)
    given = Voice([one], [], Dataset(name="marks", licence="CC0-1.0", digest="0" * 64, items=1))

    def shares(far: float) -> list[float]:
        drawn = draw_crops(
            0, source=given, target=given, batch=2000, frames=8, seed=1, disguise=Disguise(far=far)
        )
        return [float((drawn.target_copy[:, 0, 0] == index).float().mean()) for index in range(3)]

    assert shares(0.0) == pytest.approx([1 / 3] * 3, abs=0.04)
    assert shares(2.0) == pytest.approx(list(shifts**2 / np.sum(shifts**2)), abs=0.04)


def test_shifts_are_those_of_the_copies_pitch(tmp_path: Path) -> None:
    pytest.importorskip("pyworld")
    one = voice(tmp_path / "a", count=2, variants=3, seconds=2.0).training[0]
    (copies,) = prepare_copies(
        [one.recording], sample_rate=RATE, variants=3, cache=tmp_path / "a" / "cache", report=print
    )

    def median_pitch(recording: Recording) -> float:
        samples = recording.cut(0, len(recording.samples)).astype(np.float64)
        pitch, _, _ = find_envelope(samples, RATE)
        return float(np.median(pitch[pitch > 0]))

    own = median_pitch(one.recording)
    found = [np.log(median_pitch(copy.recording) / own) for copy in copies]
    np.testing.assert_allclose(one.shifts, found, atol=0.03)
