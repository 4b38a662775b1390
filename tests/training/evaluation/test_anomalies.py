"""Figures of detectors agree with scikit-learn, and with what can be counted by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from anamorph.errors import InputError
from anamorph_training.evaluation.anomalies import (
    auroc,
    average_precision,
    best_dice,
    measure_pixels,
    region_overlap,
)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000), st.integers(2, 200), st.integers(1, 12))
def test_figures_are_scikit_learns(seed: int, count: int, levels: int) -> None:
    generator = np.random.default_rng(seed)
    wrong = generator.random(count) < 0.3
    wrong[:2] = True, False
    scores = generator.integers(0, levels, count) / levels + 0.2 * wrong  # with many ties
    assert auroc(scores, wrong) == pytest.approx(roc_auc_score(wrong, scores))
    assert average_precision(scores, wrong) == pytest.approx(average_precision_score(wrong, scores))
    dice = max(f1_score(wrong, scores >= value) for value in np.unique(scores))
    assert best_dice(scores, wrong) == pytest.approx(dice)


def test_perfect_heat_has_the_greatest_figures() -> None:
    masks = np.zeros((3, 16, 16), bool)
    masks[0, 2:5, 2:5] = masks[1, 8:15, 1:3] = masks[1, 0, 0] = True
    found = measure_pixels(masks.astype(float), masks)
    assert (found.auroc, found.ap, found.aupro, found.dice) == pytest.approx((1, 1, 1, 1))


def test_small_regions_count_as_much_as_large_ones() -> None:
    masks = np.zeros((1, 20, 20), bool)
    masks[0, :10, :10] = True
    masks[0, 15, 15] = True
    heat = np.zeros((1, 20, 20))
    heat[0, :10, :10] = 1  # the small one is missed: half of all regions
    assert region_overlap(heat, masks, limit=0.3) == pytest.approx(0.5 + 0.5 * 0.3 / 2, abs=0.01)


def test_heat_that_says_nothing_has_the_figures_of_chance() -> None:
    generator = np.random.default_rng(0)
    masks = generator.random((4, 64, 64)) < 0.1
    found = measure_pixels(generator.random((4, 64, 64)), masks)
    assert found.auroc == pytest.approx(0.5, abs=0.02)
    assert found.ap == pytest.approx(0.1, abs=0.02)
    assert found.aupro == pytest.approx(0.15, abs=0.02)  # a diagonal up to 0.3, over 0.3


def test_a_test_set_of_one_kind_is_refused() -> None:
    for wrong in (np.zeros(3, bool), np.ones(3, bool)):
        with pytest.raises(InputError, match="normal and anomalous"):
            auroc(np.arange(3.0), wrong)
    with pytest.raises(InputError, match="normal and anomalous"):
        region_overlap(np.zeros((1, 4, 4)), np.zeros((1, 4, 4), bool))
