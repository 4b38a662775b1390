"""What two networks that learn from each other share."""

import torch

from anamorph_training.loop.adversaries import shift


def test_pictures_are_shifted_alike_and_keep_their_pixels() -> None:
    image = torch.arange(2 * 3 * 20 * 20.0).view(2, 3, 20, 20)
    one, other = shift(image, image + 0.5, seed=1, step=7)
    assert torch.equal(one + 0.5, other)
    assert torch.equal(one.flatten(1).sort().values, image.flatten(1).sort().values)
    assert torch.equal(one[0, 0].sum(1).sort().values, image[0, 0].sum(1).sort().values)


def test_the_step_and_the_seed_decide_the_shift() -> None:
    image = torch.arange(256.0).view(1, 1, 16, 16)
    seen = {float(shift(image, seed=1, step=step)[0][0, 0, 0, 0]) for step in range(400)}
    assert len(seen) > 180  # of 256 phases
    (one,), (again,) = shift(image, seed=1, step=3), shift(image, seed=1, step=3)
    assert torch.equal(one, again)
    corners = [float(shift(image, seed=seed, step=3)[0][0, 0, 0, 0]) for seed in range(8)]
    assert len(set(corners)) > 4
