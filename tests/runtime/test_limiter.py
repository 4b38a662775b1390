"""The limiter: peaks stay below its ceiling, the rest as it is, in blocks as in one piece."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anamorph.limiter import CEILING, Limiter

RATE = 22050


def limit(samples: np.ndarray, *sizes: int) -> np.ndarray:
    """Limit (channels, samples) in blocks of these sizes, the last one repeated."""
    limiter = Limiter(RATE, len(samples))
    made, start, left = [], 0, list(sizes or (samples.shape[1],))
    while start < samples.shape[1]:
        size = left.pop(0) if len(left) > 1 else left[0]
        made.append(limiter.push(samples[:, start : start + size]))
        start += size
    return np.concatenate([*made, limiter.finish()], axis=1)


def bursts(channels: int = 1, seconds: float = 0.3) -> np.ndarray:
    generator = np.random.default_rng(0)
    noise = generator.normal(0, 0.2, (channels, int(seconds * RATE)))
    noise[:, 2000:2300] *= 8
    noise[:, 5000] = 3
    return noise.astype(np.float32)


def true_peak(samples: np.ndarray, rate: int = RATE) -> float:
    import soxr

    padded = np.pad(samples, ((0, 0), (500, 500)))
    return max(float(np.abs(soxr.resample(one, rate, 16 * rate)).max()) for one in padded)


def test_what_is_quiet_is_untouched() -> None:
    quiet = np.clip(bursts(2) / 4, -0.4, 0.4)
    assert np.array_equal(limit(quiet), quiet)


def test_the_true_peak_stays_below_full_scale() -> None:
    limited = limit(bursts(2))
    assert np.abs(limited).max() <= CEILING + 1e-6
    assert true_peak(limited) < 1


def test_a_peak_between_samples_is_seen() -> None:
    time = np.arange(RATE)
    tone = np.sin(np.pi * time / 2 + np.pi / 4)[None].astype(np.float32)  # samples at 0.707
    assert true_peak(limit(1.2 * tone)[:, 500:-500]) == pytest.approx(CEILING, rel=0.02)


def test_far_from_a_peak_nothing_changes() -> None:
    given = bursts()
    limited = limit(given)
    assert np.array_equal(limited[:, 6000:], given[:, 6000:])
    assert limited.shape == given.shape


def test_channels_are_turned_down_alike() -> None:
    given = np.concatenate([bursts(), 0.1 * np.ones((1, bursts().shape[1]), np.float32)])
    limited = limit(given)
    assert limited[1].min() < 0.05
    ratio = limited[0] / given[0]
    assert np.allclose(ratio, limited[1] / 0.1, atol=1e-5)


@settings(deadline=None, max_examples=30)
@given(sizes=st.lists(st.integers(1, 3000), min_size=1, max_size=5))
def test_blocks_of_any_size_give_the_same(sizes: list[int]) -> None:
    sizes = [*sizes, 700]
    assert np.abs(limit(bursts(), *sizes) - limit(bursts())).max() <= 1e-6


def test_one_sample() -> None:
    assert limit(np.ones((1, 1), np.float32)).shape == (1, 1)
    assert limit(np.ones((1, 1), np.float32))[0, 0] <= CEILING
