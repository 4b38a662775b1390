"""Lessons: what is given, what is made of it, and which frames count."""

import numpy as np
import torch
from torch import nn

from anamorph_training.data.lessons import Lesson, convert, draw_lessons
from anamorph_training.spectra import SILENCE


def lesson(frames: int, seed: int = 0) -> Lesson:
    mel = np.random.default_rng(seed).normal(-5, 1, (80, frames)).astype(np.float16)
    return Lesson(mel, (mel + 1).astype(np.float16))


def test_both_are_cut_at_the_same_time_and_raised_alike() -> None:
    drawn = draw_lessons(
        3, lessons=[lesson(50), lesson(90, 1)], batch=6, frames=20, seed=1, gain_db=(-12, 6)
    )
    assert torch.allclose(drawn.made - drawn.given, torch.tensor(1.0), atol=1e-2)
    levels = drawn.given.mean((1, 2))
    assert levels.max() - levels.min() > 0.3
    again = draw_lessons(
        3, lessons=[lesson(50), lesson(90, 1)], batch=6, frames=20, seed=1, gain_db=(-12, 6)
    )
    assert torch.equal(again.given, drawn.given)


def test_frames_that_depend_on_what_the_crop_lacks_do_not_count() -> None:
    drawn = draw_lessons(0, lessons=[lesson(40)], batch=64, frames=20, seed=1, context=(6, 2))
    begin = torch.from_numpy(lesson(40).given[:, :20].astype(np.float32))
    end = torch.from_numpy(lesson(40).given[:, 20:].astype(np.float32))
    first = [bool((one == begin).all()) for one in drawn.given]
    last = [bool((one == end).all()) for one in drawn.given]
    assert any(first)
    assert any(last)
    for counts, is_first, is_last in zip(drawn.counts, first, last, strict=True):
        expected = torch.zeros(20)
        expected[0 if is_first else 6 : 20 if is_last else 18] = 1
        assert torch.equal(counts, expected)


def test_what_follows_a_short_utterance_is_silence_and_does_not_count() -> None:
    drawn = draw_lessons(0, lessons=[lesson(12)], batch=2, frames=20, seed=1, context=(6, 2))
    assert torch.equal(drawn.given[..., 12:], torch.full((2, 80, 8), SILENCE))
    assert torch.equal(drawn.counts[0], torch.tensor([1.0] * 12 + [0.0] * 8))


def test_noise_is_given_and_not_asked_for() -> None:
    options = {"lessons": [lesson(60)], "batch": 8, "frames": 20, "seed": 1}
    noisy = draw_lessons(0, **options, noisy=0.999)  # type: ignore[arg-type]
    assert ((noisy.made - 1 - noisy.given) < -0.05).any()


def test_copies_are_converted_together() -> None:
    mels = [lesson(9, seed).given for seed in range(3)]
    made = convert(nn.Identity(), mels)
    assert all(np.array_equal(a, b) for a, b in zip(made, mels, strict=True))
