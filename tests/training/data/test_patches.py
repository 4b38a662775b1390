"""Batches: aligned, decided by seed and step, and there in time."""

import time
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from anamorph_training.data.pairs import Pair
from anamorph_training.data.patches import Prefetch, dihedral, draw_batch, to_tensor


@pytest.fixture
def pairs() -> list[Pair]:
    """Pairs whose partner is exactly the mean of its block, so that alignment shows."""
    generator = np.random.default_rng(0)
    lows = [generator.integers(0, 256, (9, 12, 3), dtype=np.uint8) for _ in range(3)]
    return [Pair(low.repeat(4, 0).repeat(4, 1), low, Path("x")) for low in lows]


def draw(pairs: list[Pair], step: int, seed: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    return draw_batch(step, pairs=pairs, scale=4, batch=16, patch=5, seed=seed)


def test_crops_are_aligned_and_turned_together(pairs: list[Pair]) -> None:
    low, high = draw(pairs, 0)
    assert low.shape == (16, 3, 5, 5)
    assert high.shape == (16, 3, 20, 20)
    assert torch.equal(high, low.repeat_interleave(4, 2).repeat_interleave(4, 3))
    assert high.is_contiguous(memory_format=torch.channels_last)
    assert 0 <= float(low.min()) <= float(low.max()) <= 1


def test_seed_and_step_decide_everything(pairs: list[Pair]) -> None:
    assert torch.equal(draw(pairs, 3)[1], draw(pairs, 3)[1])
    assert not torch.equal(draw(pairs, 3)[1], draw(pairs, 4)[1])
    assert not torch.equal(draw(pairs, 3, seed=1)[1], draw(pairs, 3, seed=2)[1])


def test_partners_made_afresh_see_what_surrounds_the_crop(pairs: list[Pair]) -> None:
    sizes = set()

    def pick(
        high: NDArray[np.uint8], scale: int, generator: np.random.Generator
    ) -> NDArray[np.uint8]:
        sizes.add(high.shape[:2])
        return high[::scale, ::scale]

    for step in range(5):  # other turns and places than those of the pairs' own partners
        low, high = draw_batch(
            step, pairs=pairs, scale=4, batch=16, patch=5, seed=1, degrade=pick, margin=2
        )
        assert torch.equal(high, low.repeat_interleave(4, 2).repeat_interleave(4, 3))
    assert max(sizes) == (36, 36)  # nine pixels of the partner: five, and two on each side
    assert min(sizes) == (28, 28)  # at the border there is less


def test_large_pictures_are_drawn_from_as_often_as_they_have_pixels() -> None:
    small, large = (np.full((side, side, 3), side, np.uint8) for side in (4, 12))
    pairs = [Pair(one, one, Path("x")) for one in (small, large)]
    low, _ = draw_batch(0, pairs=pairs, scale=1, batch=2000, patch=1, seed=1)
    share = float((low[:, 0, 0, 0] * 255 > 8).float().mean())
    assert abs(share - 0.9) < 0.03


def test_the_eight_turns_differ() -> None:
    picture = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    assert len({dihedral(picture, turn).tobytes() for turn in range(8)}) == 8


def test_tensors_are_channels_first_in_0_to_1() -> None:
    images = np.zeros((1, 2, 3, 3), np.uint8)
    images[0, 1, 2, 0] = 255
    assert to_tensor(images)[0, 0, 1, 2] == 1


def test_prefetch_gives_every_step_in_order() -> None:
    with Prefetch(lambda step: step * 10, start=3, stop=9) as batches:
        assert list(batches) == [30, 40, 50, 60, 70, 80]


def test_prefetch_raises_what_drawing_raised() -> None:
    def fail(step: int) -> int:
        if step == 2:
            raise OSError("disk gone")
        return step

    with pytest.raises(OSError, match="disk gone"), Prefetch(fail, start=0, stop=5) as batches:
        assert list(batches)


def test_prefetch_ends_when_left_early() -> None:
    with Prefetch(lambda step: step, start=0, stop=10**9) as batches:
        assert next(iter(batches)) == 0
    assert not batches._thread.is_alive()


def test_a_trainer_slower_than_the_loader_never_waits() -> None:
    def draw_slowly(step: int) -> int:
        time.sleep(0.002)
        return step

    begin = time.perf_counter()
    with Prefetch(draw_slowly, start=0, stop=20) as batches:
        for _ in batches:
            time.sleep(0.02)
    assert batches.waited < 0.2 * (time.perf_counter() - begin)


def test_real_batches_are_drawn_faster_than_a_small_network_learns() -> None:
    """The zoo's batch: 16 crops of 32 x 32 at x4 take a step of 110 ms on two cores."""
    generator = np.random.default_rng(0)
    low = generator.integers(0, 256, (128, 128, 3), dtype=np.uint8)
    pair = Pair(low.repeat(4, 0).repeat(4, 1), low, Path("x"))
    begin = time.process_time()
    for step in range(5):
        draw_batch(step, pairs=[pair], scale=4, batch=16, patch=32, seed=1)
    assert (time.process_time() - begin) / 5 < 0.05
