"""How far one distribution is from another: entropy, Kullback-Leibler and Jensen-Shannon.

For distributions over a few outcomes and for Gaussians, in bits or nats; and the member of a
family that comes nearest to what was observed. NumPy alone.

>>> from anamorph import divergence
>>> divergence.kl_divergence(divergence.TEETH, divergence.uniform(11))  # doctest: +ELLIPSIS
0.338...
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anamorph.errors import InputError

Unit = Literal["bits", "nats"]
Probabilities = NDArray[np.float64]
Family = Callable[[float], Probabilities]

_UNITS: Final = {"bits": math.log(2), "nats": 1.0}
_CURVE_POINTS: Final = 199
_ZOOMS: Final = 8
_QUADRATURE: Final = 20_001
_REACH: Final = 12.0  # standard deviations beyond which a Gaussian is nothing

# Chances of 0 to 10 teeth in the lecture's example. The lecture prints figures of this histogram
# and not the histogram: this is the smoothest one (least squared second differences) that has them
# all to their printed digits, found by `python -m anamorph_training.teeth`. It is reconstructed,
# not observed.
TEETH: Final = (
    0.0001,
    0.0032,
    0.0646,
    0.1345,
    0.1687,
    0.1569,
    0.1223,
    0.0988,
    0.0937,
    0.0874,
    0.0698,
)


def probabilities(values: ArrayLike, name: str = "the distribution") -> Probabilities:
    """Return counts or chances as chances that add up to 1.

    Args:
        values: Numbers of at least 0, one per outcome, not all of them 0.
        name: What to call them in a message.

    Returns:
        float64 (outcomes,).

    Raises:
        InputError: They are no such numbers.
    """
    try:
        array = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{name}: holds what is no number; give one number per outcome") from None
    if array.ndim != 1 or not len(array):
        raise InputError(f"{name}: has shape {array.shape}; give one number per outcome")
    total = float(array.sum())
    if not np.isfinite(array).all() or (array < 0).any() or not 0 < total < math.inf:
        raise InputError(f"{name}: give finite numbers of at least 0 that are not all 0")
    return array / total


def entropy(p: ArrayLike, unit: Unit = "bits") -> float:
    """Return H(p) = -sum p log p, what one outcome tells on average.

    Args:
        p: Counts or chances, one per outcome.
        unit: ``bits`` or ``nats``.

    Raises:
        InputError: They are no distribution.
    """
    chances = probabilities(p)
    return cross_entropy(chances, chances, unit)


def cross_entropy(p: ArrayLike, q: ArrayLike, unit: Unit = "bits") -> float:
    """Return H(p, q) = -sum p log q, infinite where q rules out what p does not.

    Args:
        p: Counts or chances of what happens.
        q: Counts or chances of what is expected, of as many outcomes.
        unit: ``bits`` or ``nats``.

    Raises:
        InputError: They are no distributions, or of different outcomes.
    """
    first, second = _pair(p, q)
    happens = first > 0
    if (second[happens] == 0).any():
        return math.inf
    nats = -float(np.sum(first[happens] * np.log(second[happens])))
    return max(0.0, nats) / _UNITS[unit]


def kl_divergence(p: ArrayLike, q: ArrayLike, unit: Unit = "bits") -> float:
    """Return KL(p || q) = sum p log(p / q): what it costs to expect q where p happens.

    It is 0 where both are alike and positive elsewhere, but no distance: KL(p || q) and KL(q || p)
    differ. Kullback & Leibler, "On Information and Sufficiency", 1951.

    Args:
        p: Counts or chances of what happens.
        q: Counts or chances of what is expected, of as many outcomes.
        unit: ``bits`` or ``nats``.

    Returns:
        At least 0; infinite where q rules out what p does not.

    Raises:
        InputError: They are no distributions, or of different outcomes.
    """
    first, second = _pair(p, q)
    return max(0.0, cross_entropy(first, second, unit) - entropy(first, unit))


def jensen_shannon(p: ArrayLike, q: ArrayLike, unit: Unit = "bits") -> float:
    """Return the mean divergence of both from their middle, at most 1 bit; alike both ways.

    Its square root is a distance. Lin, "Divergence Measures Based on the Shannon Entropy", 1991.

    Args:
        p: Counts or chances.
        q: Counts or chances, of as many outcomes.
        unit: ``bits`` or ``nats``.

    Raises:
        InputError: They are no distributions, or of different outcomes.
    """
    first, second = _pair(p, q)
    middle = (first + second) / 2
    return (kl_divergence(first, middle, unit) + kl_divergence(second, middle, unit)) / 2


@dataclass(frozen=True)
class Gaussian:
    """A normal distribution.

    Attributes:
        mean: Where its middle lies.
        deviation: Its standard deviation, above 0.

    Raises:
        InputError: One of them is no such number.
    """

    mean: float
    deviation: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.mean) and 0 < self.deviation < math.inf):
            raise InputError(
                f"Gaussian of mean {self.mean:g} and deviation {self.deviation:g}: give a finite "
                "mean and a finite deviation above 0"
            )

    def density(self, x: ArrayLike) -> Probabilities:
        """Return the density at some places, float64 shaped as them."""
        z = (np.asarray(x, np.float64) - self.mean) / self.deviation
        density: Probabilities = np.exp(-0.5 * z**2) / (self.deviation * math.sqrt(2 * math.pi))
        return density

    def entropy(self, unit: Unit = "bits") -> float:
        """Return the differential entropy, which may be negative."""
        nats = 0.5 * math.log(2 * math.pi * math.e) + math.log(self.deviation)
        return nats / _UNITS[unit]

    def kl_divergence(self, other: "Gaussian", unit: Unit = "bits") -> float:
        """Return KL(self || other) in closed form; infinite where it is beyond all numbers."""
        ratio = self.deviation / other.deviation
        away = (self.mean - other.mean) / other.deviation
        logarithm = math.log(self.deviation) - math.log(other.deviation)
        return max(0.0, 0.5 * (ratio * ratio + away * away - 1) - logarithm) / _UNITS[unit]

    def jensen_shannon(self, other: "Gaussian", unit: Unit = "bits") -> float:
        """Return the Jensen-Shannon divergence, by the trapezoidal rule: there is no closed form.

        Each side is integrated over its own reach, so that no deviation is too small to be seen.
        """
        halves = []
        for one, another in ((self, other), (other, self)):
            reach = _REACH * one.deviation
            x = np.linspace(one.mean - reach, one.mean + reach, _QUADRATURE)
            own, theirs = one.density(x), another.density(x)
            seen = own > 0
            ratio = np.zeros_like(own)
            ratio[seen] = np.log(2 * own[seen] / (own[seen] + theirs[seen]))
            halves.append(float(np.trapezoid(own * ratio, x)))
        return max(0.0, sum(halves) / 2) / _UNITS[unit]


def uniform(outcomes: int) -> Probabilities:
    """Return equal chances of some outcomes: float64 (outcomes,)."""
    return probabilities(np.ones(outcomes))


def binomial(trials: int, p: float) -> Probabilities:
    """Return the chances of 0 to ``trials`` successes: float64 (trials + 1,).

    Args:
        trials: How often it is tried.
        p: Chance of each success, from 0 to 1.

    Raises:
        InputError: The chance is none.
    """
    _check_chance(p)
    if p in (0, 1):
        certain: Probabilities = np.eye(trials + 1)[round(p * trials)]
        return certain
    k = np.arange(trials + 1)
    steps = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, trials + 1)))])  # log of k!
    ways = steps[-1] - steps - steps[::-1]
    chances: Probabilities = np.exp(ways + k * math.log(p) + (trials - k) * math.log1p(-p))
    return chances


def two_level(outcomes: int, split: int, p: float) -> Probabilities:
    """Return a chance shared evenly by the last outcomes, and the rest by the others.

    Args:
        outcomes: How many there are.
        split: Number of the first one of the last, above 0.
        p: Chance of the last ones together, from 0 to 1.

    Returns:
        float64 (outcomes,).

    Raises:
        InputError: The chance is none, or the split leaves one side empty.
    """
    _check_chance(p)
    if not 0 < split < outcomes:
        raise InputError(f"split {split}: must leave outcomes on both sides of {outcomes}")
    chances = np.full(outcomes, (1 - p) / split)
    chances[split:] = p / (outcomes - split)
    return chances


def geometric(outcomes: int, p: float) -> Probabilities:
    """Return chances that fall by the same share from outcome to outcome: float64 (outcomes,).

    Args:
        outcomes: How many there are.
        p: Share by which each falls short of the one before, from 0 (uniform) to 1.

    Raises:
        InputError: The share is none.
    """
    _check_chance(p)
    return probabilities((1 - p) ** np.arange(outcomes))


@dataclass(frozen=True)
class Fit:
    """The member of a family that comes nearest.

    Attributes:
        parameter: Of that member.
        divergence: Of the observed distribution from it, in ``unit``.
        member: Its chances.
        parameters: Where the curve was taken.
        curve: Divergence at each of them; infinite where a member rules out what was observed.
        unit: Of both divergences.
    """

    parameter: float
    divergence: float
    member: Probabilities
    parameters: Probabilities
    curve: Probabilities
    unit: Unit


def fit(observed: ArrayLike, family: Family, *, unit: Unit = "bits", reverse: bool = False) -> Fit:
    """Find the member of a family of one parameter in [0, 1] that is nearest to the observed.

    The least of the curve is refined by looking closer and closer around it.

    Args:
        observed: Counts or chances.
        family: Returns a member's chances for its parameter.
        unit: ``bits`` or ``nats``.
        reverse: Minimise KL(member || observed) instead of KL(observed || member), whose least is
            what makes the observed most likely.

    Raises:
        InputError: The observed are no distribution, or the family is of other outcomes, or every
            member rules out what was observed.
    """
    chances = probabilities(observed, "the observed distribution")

    def divergence(parameter: float) -> float:
        member = family(parameter)
        return (
            kl_divergence(member, chances, unit)
            if reverse
            else kl_divergence(chances, member, unit)
        )

    parameters = np.linspace(0, 1, _CURVE_POINTS + 2)
    curve = np.array([divergence(parameter) for parameter in parameters])
    if not np.isfinite(curve).any():
        raise InputError(
            "every member of this family rules out what was observed; choose another family"
        )
    best, step = float(parameters[np.argmin(curve)]), float(parameters[1])
    for _ in range(_ZOOMS):
        near = np.clip(np.linspace(best - step, best + step, 21), 0, 1)
        best, step = float(near[np.argmin([divergence(one) for one in near])]), step / 8
    return Fit(best, divergence(best), family(best), parameters, curve, unit)


def _pair(p: ArrayLike, q: ArrayLike) -> tuple[Probabilities, Probabilities]:
    first, second = probabilities(p, "the first distribution"), probabilities(q, "the second")
    if len(first) != len(second):
        raise InputError(
            f"distributions over {len(first)} and {len(second)} outcomes; give both as many numbers"
        )
    return first, second


def _check_chance(p: float) -> None:
    if not 0 <= p <= 1:
        raise InputError(f"chance {p:g}: must be from 0 to 1")
