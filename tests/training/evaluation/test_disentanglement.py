"""Figures of representations whose score is known: perfect, turned, and noise."""

import numpy as np
import pytest
from numpy.typing import NDArray

from anamorph_training.evaluation.disentanglement import (
    Disentanglement,
    attribute_predictability,
    beta_vae_score,
    dci,
    factor_vae_score,
    measure_disentanglement,
    mutual_information_gap,
)

SIZES = (3, 6, 8, 10, 10)
Factors = NDArray[np.int64]
Codes = NDArray[np.floating]


def perfect(factors: Factors) -> Codes:
    """Return one latent per factor, of about unit variance, and two that say nothing."""
    scaled = (factors / (np.array(SIZES) - 1) - 0.5) * 3.4
    return np.concatenate([scaled, np.zeros((len(factors), 2))], axis=1)


def turned(factors: Factors) -> Codes:
    """Return the same, turned so that every latent holds some of every factor."""
    turn, _ = np.linalg.qr(np.random.default_rng(5).standard_normal((5, 5)))
    return np.asarray(perfect(factors)[:, :5] @ turn)


def noise(factors: Factors) -> Codes:
    return np.random.default_rng(int(factors.sum())).standard_normal((len(factors), 7))


def collapsed(factors: Factors) -> Codes:
    return np.random.default_rng(int(factors.sum())).standard_normal((len(factors), 7)) * 1e-3


def measured(represent: object) -> Disentanglement:
    return measure_disentanglement(represent, SIZES, categorical=(0,), votes=800, samples=4000)  # type: ignore[arg-type]


def test_a_perfect_code_has_the_greatest_scores() -> None:
    found = measured(perfect)
    assert found.beta_vae == 1
    assert found.factor_vae == 1
    assert found.mig > 0.95
    assert found.dci_disentanglement > 0.99
    assert found.dci_completeness > 0.99
    assert found.dci_informativeness > 0.99
    assert found.sap > 0.9


def test_a_turned_code_says_as_much_but_is_entangled() -> None:
    found, best = measured(turned), measured(perfect)
    assert found.mig < 0.25
    assert found.dci_disentanglement < 0.6
    assert found.dci_completeness < 0.6
    assert found.sap < 0.4
    assert found.factor_vae < best.factor_vae


def test_noise_has_the_scores_of_chance() -> None:
    found = measured(noise)
    assert found.beta_vae == pytest.approx(1 / 5, abs=0.1)
    assert found.factor_vae == pytest.approx(1 / 5, abs=0.1)
    assert found.mig < 0.02
    assert found.dci_disentanglement < 0.05
    assert found.sap < 0.05
    assert found.dci_informativeness == pytest.approx(np.mean(1 / np.array(SIZES)), abs=0.06)


def test_latents_without_variance_do_not_vote() -> None:
    assert factor_vae_score(collapsed, SIZES) == 1 / 5


def test_a_rescaled_code_scores_as_before() -> None:
    scale = np.array([3, 0.5, 1, 10, 2, 1, 1])

    def rescaled(factors: Factors) -> Codes:
        return np.asarray(perfect(factors) * scale)

    assert factor_vae_score(rescaled, SIZES, votes=400) == 1
    assert beta_vae_score(rescaled, SIZES, votes=400) == 1


def test_two_latents_for_one_factor_leave_no_gap() -> None:
    generator = np.random.default_rng(0)
    factors = np.stack([generator.integers(8, size=4000) for _ in range(2)], axis=1)
    doubled = np.repeat(factors, 2, axis=1).astype(float)
    assert mutual_information_gap(doubled, factors) == pytest.approx(0, abs=1e-9)
    assert attribute_predictability(doubled, factors) == pytest.approx(0, abs=1e-9)
    disentangled, complete, informative = dci(doubled, factors)
    assert disentangled > 0.99
    assert complete < 0.95
    assert informative > 0.99
