"""The resampler of streams: SoX's answer, whatever the blocks, a millisecond or two behind."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anamorph.live_resampling import LiveResampler

RATES = [(48000, 22050), (22050, 48000), (44100, 22050), (8000, 22050), (22050, 16000)]


def speech_like(rate: int, wanted: int, seconds: float = 0.5) -> np.ndarray:
    """Return noise without what lies above the band that both rates hold."""
    import soxr

    low = int(0.8 * min(rate, wanted))
    noise = np.random.default_rng(0).normal(0, 0.1, int(seconds * low)).astype(np.float32)
    made: np.ndarray = soxr.resample(noise, low, rate, quality="VHQ")
    return made


def in_blocks(
    samples: np.ndarray, sizes: list[int], rate: int, wanted: int
) -> tuple[np.ndarray, float]:
    """Return what comes out in all, and the most seconds that it was behind."""
    made: list[np.ndarray] = []
    resampler, start, behind = LiveResampler(rate, wanted), 0, 0.0
    while start < len(samples):
        block = samples[start : start + sizes[len(made) % len(sizes)]]
        made.append(resampler.push(block))
        start += len(block)
        behind = max(behind, start / rate - sum(map(len, made)) / wanted)
    made.append(resampler.finish(round(len(samples) * wanted / rate)))
    return np.concatenate(made), behind


@pytest.mark.parametrize(("rate", "wanted"), [*RATES, (192000, 22050), (44101, 22050)])
def test_it_gives_what_sox_gives_soon(rate: int, wanted: int) -> None:
    import soxr

    given = speech_like(rate, wanted)
    made, behind = in_blocks(given, [100], rate, wanted)
    expected = soxr.resample(given, rate, wanted, quality="VHQ")
    length = min(len(made), len(expected))
    assert length == pytest.approx(0.5 * wanted, abs=2)
    inner = slice(200, length - 200)
    assert np.abs(made[inner] - expected[inner]).max() < 1e-4
    assert behind <= (LiveResampler(rate, wanted).reach + 1) / rate + 1 / wanted
    assert behind < 0.0045


@pytest.mark.parametrize(("rate", "wanted"), [(48000, 22050), (44100, 22050), (22050, 16000)])
@pytest.mark.parametrize("share", [0.53, 0.6, 0.65])
def test_what_the_lower_rate_cannot_hold_is_gone(rate: int, wanted: int, share: float) -> None:
    tone = np.sin(2 * np.pi * share * wanted * np.arange(rate) / rate).astype(np.float32)
    made, _ = in_blocks(tone, [500], rate, wanted)
    assert np.abs(made[500:-500]).max() < 2e-4


@pytest.mark.parametrize(("rate", "wanted"), [(22050, 48000), (8000, 22050)])
@pytest.mark.parametrize("share", [0.05, 0.2, 0.4])
def test_a_tone_has_no_image_at_a_higher_rate(rate: int, wanted: int, share: float) -> None:
    frequency = share * rate
    tone = np.sin(2 * np.pi * frequency * np.arange(rate) / rate).astype(np.float32)
    made, _ = in_blocks(tone, [500], rate, wanted)
    expected = np.sin(2 * np.pi * frequency * np.arange(len(made)) / wanted)
    assert np.abs(made - expected)[1000:-1000].max() < 3e-4


def test_hours_go_by_without_an_overflow() -> None:
    resampler = LiveResampler(48000, 22050)
    resampler._made = 22050 * 3600 * 24  # as after a day
    resampler._dropped = 48000 * 3600 * 24 + 1
    assert len(resampler.push(noise := np.ones(4800, np.float32))) > 2000
    assert np.abs(resampler.push(noise) - 1).max() < 1e-3


@settings(deadline=None, max_examples=30)
@given(sizes=st.lists(st.integers(1, 700), min_size=1, max_size=5), rates=st.sampled_from(RATES))
def test_blocks_make_no_difference(sizes: list[int], rates: tuple[int, int]) -> None:
    given = np.random.default_rng(1).normal(0, 0.1, 2000).astype(np.float32)
    made, _ = in_blocks(given, sizes, *rates)
    whole, _ = in_blocks(given, [2000], *rates)
    assert np.array_equal(made, whole)


def test_equal_rates_pass_through() -> None:
    resampler = LiveResampler(22050, 22050)
    given = np.arange(5, dtype=np.float32)
    assert resampler.push(given) is given
    assert len(resampler.finish(5)) == 0
    assert resampler.reach == 0
