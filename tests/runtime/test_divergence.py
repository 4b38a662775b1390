"""Entropy and divergences: identities, known values, and every figure that the lecture prints."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anamorph.divergence import (
    TEETH,
    Fit,
    Gaussian,
    Unit,
    binomial,
    cross_entropy,
    entropy,
    fit,
    geometric,
    jensen_shannon,
    kl_divergence,
    probabilities,
    two_level,
    uniform,
)
from anamorph.errors import InputError

COUNTS = st.lists(st.integers(1, 1000), min_size=4, max_size=4)
BINOMIAL = binomial(10, 0.57)


def late(p: float) -> np.ndarray:
    return two_level(11, 6, p)


def test_entropy_of_a_coin_is_a_bit() -> None:
    assert entropy([1, 1]) == pytest.approx(1)
    assert entropy([1, 1], "nats") == pytest.approx(math.log(2))
    assert entropy([1, 0]) == 0
    assert entropy(uniform(11)) == pytest.approx(math.log2(11))


@settings(deadline=None)
@given(COUNTS, COUNTS)
def test_divergences_keep_their_laws(p: list[int], q: list[int]) -> None:
    forward, shared = kl_divergence(p, q), jensen_shannon(p, q)
    assert forward >= 0
    assert 0 <= shared <= 1
    assert shared == pytest.approx(jensen_shannon(q, p), abs=1e-12)
    assert kl_divergence(p, p) == pytest.approx(0, abs=1e-12)
    assert forward == pytest.approx(cross_entropy(p, q) - entropy(p), abs=1e-12)
    assert kl_divergence(p, uniform(4)) == pytest.approx(2 - entropy(p), abs=1e-12)
    assert kl_divergence(p, q, "nats") == pytest.approx(forward * math.log(2), abs=1e-12)


def test_what_is_ruled_out_and_happens_is_infinitely_far() -> None:
    assert kl_divergence([1, 1], [1, 0]) == math.inf
    assert kl_divergence([1, 0], [1, 1]) == pytest.approx(1)
    assert jensen_shannon([1, 0], [0, 1]) == pytest.approx(1)


@pytest.mark.parametrize("unit", ["bits", "nats"])
def test_gaussians_agree_with_monte_carlo(unit: Unit) -> None:
    one, other = Gaussian(0.5, 0.8), Gaussian(-1, 1.7)
    x = np.random.default_rng(0).normal(one.mean, one.deviation, 400_000)
    scale = math.log(2) if unit == "bits" else 1
    assert one.kl_divergence(other, unit) == pytest.approx(
        float(np.mean(np.log(one.density(x) / other.density(x)))) / scale, abs=0.01
    )
    assert one.entropy(unit) == pytest.approx(
        -float(np.mean(np.log(one.density(x)))) / scale, abs=0.01
    )


def test_extremes_have_answers() -> None:
    assert sum(binomial(3000, 0.5)) == pytest.approx(1)
    assert binomial(4, 0).tolist() == [1, 0, 0, 0, 0]
    assert binomial(4, 1).tolist() == [0, 0, 0, 0, 1]
    assert binomial(4, 0.5) == pytest.approx([1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16])
    assert Gaussian(0, 1e200).kl_divergence(Gaussian(0, 1)) == math.inf
    assert Gaussian(0, 1e-200).entropy() < -600


def test_gaussians_keep_the_laws_of_divergences() -> None:
    one, far = Gaussian(0, 1), Gaussian(60, 0.01)
    assert one.kl_divergence(one) == 0
    assert one.jensen_shannon(one) == pytest.approx(0, abs=1e-12)
    assert one.jensen_shannon(far) == pytest.approx(1, abs=1e-6)
    assert one.jensen_shannon(far) == pytest.approx(far.jensen_shannon(one))
    assert Gaussian(1, 1).kl_divergence(one, "nats") == pytest.approx(0.5)


def test_the_lectures_teeth_have_every_printed_figure() -> None:
    assert sum(TEETH) == pytest.approx(1, abs=1e-12)
    assert round(entropy(TEETH), 2) == 3.12
    assert round(kl_divergence(TEETH, uniform(11)), 3) == 0.338
    assert kl_divergence(TEETH, uniform(11)) == pytest.approx(math.log2(11) - entropy(TEETH))
    assert round(float(np.arange(11) @ TEETH), 1) == 5.7
    assert round(kl_divergence(TEETH, BINOMIAL), 3) == 0.477
    assert round(kl_divergence(BINOMIAL, TEETH), 3) == 0.330


def test_the_lectures_two_levels_are_nearest_at_their_printed_chance() -> None:
    found = fit(TEETH, late)
    assert round(found.divergence, 3) == 0.338
    assert round(found.parameter, 2) == 0.47
    assert found.divergence == pytest.approx(kl_divergence(TEETH, found.member))


def test_the_histogram_is_the_smoothest_with_these_figures() -> None:
    pytest.importorskip("scipy")
    from anamorph_training.teeth import reconstruct_teeth

    assert reconstruct_teeth() == pytest.approx(np.array(TEETH), abs=2e-4)


@settings(deadline=None, max_examples=20)
@given(st.floats(0.02, 0.98))
def test_a_member_of_the_family_is_found_again(p: float) -> None:
    for family in (lambda q: binomial(10, q), late, lambda q: geometric(6, q)):
        found = fit(family(p), family)
        assert found.parameter == pytest.approx(p, abs=1e-5)
        assert found.divergence < 1e-8


def test_the_nearest_binomial_has_the_mean_that_was_observed() -> None:
    found = fit(TEETH, lambda p: binomial(10, p))
    assert found.parameter == pytest.approx(float(np.arange(11) @ TEETH) / 10, abs=1e-5)


def test_either_direction_has_a_nearest_member_of_its_own() -> None:
    two_humps = [8, 4, 1, 1, 4, 8]
    forward: Fit = fit(two_humps, lambda p: binomial(5, p))
    backward = fit(two_humps, lambda p: binomial(5, p), reverse=True)
    assert forward.parameter == pytest.approx(0.5, abs=1e-3)
    assert abs(backward.parameter - 0.5) > 0.2
    assert forward.curve[0] == math.inf
    assert len(forward.curve) == len(forward.parameters)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "shape"),
        ([[1, 2]], "shape"),
        ([1, -1], "at least 0"),
        ([0, 0], "not all 0"),
        ([1, math.nan], "finite"),
        ("abc", "no number"),
    ],
)
def test_what_is_no_distribution_is_refused(values: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        probabilities(values)  # type: ignore[arg-type]


def test_bad_parameters_are_refused() -> None:
    with pytest.raises(InputError, match="3 and 2 outcomes"):
        kl_divergence([1, 1, 1], [1, 1])
    with pytest.raises(InputError, match="deviation above 0"):
        Gaussian(0, 0)
    with pytest.raises(InputError, match="both sides"):
        two_level(4, 4, 0.5)
    with pytest.raises(InputError, match="from 0 to 1"):
        binomial(3, 1.5)
    with pytest.raises(InputError, match="rules out"):
        fit([1, 1], lambda p: probabilities([1, 0]))
