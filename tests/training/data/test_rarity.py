"""What few codes are alike is drawn more often; corruption stays inside the foreground."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from anamorph.errors import InputError
from anamorph_training.data import bias
from anamorph_training.data.bias import check_labels, make_biased
from anamorph_training.data.corruption import add_coarse_noise
from anamorph_training.data.images import ArrayStack, TrainingSprites
from anamorph_training.data.rarity import Rarity, check_countable, encode_all, rarity
from anamorph_training.networks.autoencoder import Size


@dataclass(frozen=True)
class Evenness:
    alpha: float
    most_often: float = 1e9


def test_rare_codes_are_drawn_more_often_and_alpha_evens_that_out() -> None:
    codes = np.concatenate([np.zeros((98, 1)), np.full((2, 1), 5.0)])
    weights = rarity(codes, Evenness(1e-6))
    assert weights.sum() == pytest.approx(1)
    assert weights[98:].sum() == pytest.approx(0.5, abs=1e-3)  # as often as all the others
    assert rarity(codes, Evenness(1e6)) == pytest.approx(np.full(100, 0.01), rel=1e-4)
    assert weights[99] > rarity(codes, Evenness(0.1))[99] > 0.01


def test_rarity_multiplies_over_latents() -> None:
    generator = np.random.default_rng(0)
    codes = generator.integers(0, 3, (500, 2)).astype(float)
    one, other = (rarity(codes[:, [i]], Evenness(0.01)) for i in range(2))
    product = one * other
    assert rarity(codes, Evenness(0.01)) == pytest.approx(product / product.sum())


def test_no_picture_is_drawn_more_often_than_the_bound() -> None:
    codes = np.concatenate([np.zeros((96, 1)), np.full((3, 1), 5.0), np.full((1, 1), 9.0)])
    free = rarity(codes, Evenness(1e-6))
    assert free[99] == pytest.approx(1 / 3, abs=1e-3)
    bound = rarity(codes, Evenness(1e-6, most_often=8))
    assert bound.sum() == pytest.approx(1)
    assert bound[99] == pytest.approx(0.08)
    assert bound[96:99] == pytest.approx(np.full(3, 0.08))  # would be 0.111, and more once shared
    assert bound[:96] == pytest.approx(np.full(96, 0.68 / 96))
    even = rarity(codes, Evenness(1e-6, most_often=1))
    assert even == pytest.approx(np.full(100, 0.01))
    assert rarity(codes, Evenness(1e-6, most_often=40)) == pytest.approx(free)


def test_the_bound_holds_however_small_the_other_weights_are() -> None:
    codes = np.zeros((100, 100))
    codes[0] = 5.0
    chances = rarity(codes, Evenness(1e-6, most_often=20))
    assert chances[0] == pytest.approx(0.2)
    assert chances[1:] == pytest.approx(np.full(99, 0.8 / 99))


def test_chances_begin_even_and_survive_a_checkpoint() -> None:
    chances = Rarity(4)
    assert chances.weights.tolist() == [0.25] * 4
    chances.update(np.array([[0.0], [0.0], [0.0], [9.0]]), Evenness(0.01))
    again = Rarity(7)  # that the data have changed is told by others
    again.load_state_dict(chances.state_dict())
    assert torch.equal(again.weights, chances.weights)


def test_all_codes_come_in_order() -> None:
    class Mean(torch.nn.Module):
        size = Size(bands=1, height=8, width=8, channels=1, hidden=0)

        def encode(self, picture: torch.Tensor) -> torch.Tensor:
            return picture.flatten(1).mean(1, keepdim=True)

    pixels = np.arange(300, dtype=np.uint16).clip(0, 255).astype(np.uint8)
    stack = ArrayStack(np.broadcast_to(pixels[:, None, None, None], (300, 1, 4, 4)))
    codes = encode_all(Mean(), stack, torch.device("cpu"))
    assert codes[:, 0] == pytest.approx(pixels / 255)


def test_a_data_set_too_large_to_encode_again_and_again_is_refused() -> None:
    with pytest.raises(InputError, match="736,549 are too many"):
        check_countable(TrainingSprites(), "--mine-outliers")


class Form:
    height, width, colour, classes = 64, 64, "grey", 3


def test_a_kind_is_as_rare_as_was_asked_and_larger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bias, "_SPRITES", {"train": 9000, "test": 3000})
    form: Any = Form()
    made = make_biased(Path("sprites"), "train", form, share=0.02, seed=1)
    assert made.rare.sum() == 180
    assert set(made.labels) == {0, 1, 2}
    areas = (made.pixels > 0).sum(axis=(1, 2, 3))
    for label in range(3):
        alike = made.labels == label
        assert areas[alike & made.rare].min() > areas[alike & ~made.rare].max()
    test = make_biased(Path("sprites"), "test", form, share=0.5, seed=1)
    assert test.rare.mean() == 0.5
    assert not {one.tobytes() for one in made.pixels} & {one.tobytes() for one in test.pixels}


def test_classes_that_do_not_fit_are_refused() -> None:
    images: Any = Form()
    choice: Any = Form()
    choice.data = Path("animals")
    images.labels = np.array([0, 1, 4])
    with pytest.raises(InputError, match="holds 5 classes; give --classes 5"):
        check_labels(choice, images)
    images.labels = None
    with pytest.raises(InputError, match="has no classes"):
        check_labels(choice, images)


def test_noise_is_coarse_and_stays_inside_the_foreground() -> None:
    picture = torch.zeros(4, 1, 64, 64)
    picture[:, :, 16:48, 16:48] = 0.5
    noisy = add_coarse_noise(picture, cell=16, deviation=0.2, foreground=0.1, seed=(1, 2))
    added = noisy - picture
    assert added[:, :, :16].abs().max() == 0
    inside = added[:, :, 16:48, 16:48]
    assert 0.05 < inside.std() < 0.3
    assert inside.diff(dim=3).std() < 0.15 * inside.std()  # neighbours hardly differ
    again = add_coarse_noise(picture, cell=16, deviation=0.2, foreground=0.1, seed=(1, 2))
    assert torch.equal(noisy, again)
    everywhere = add_coarse_noise(picture, cell=16, deviation=0.2, foreground=-1, seed=(1, 2))
    assert (everywhere - picture)[:, :, :16].std() > 0.05
