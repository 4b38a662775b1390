"""Recover the lecture's histogram of teeth from the figures that it prints of it."""

import sys
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anamorph import divergence

# All in bits, as printed; the smoothest histogram is sought among those that round to them.
ENTROPY: Final = 3.12
TO_UNIFORM: Final = 0.338
TO_BINOMIAL: Final = 0.477
FROM_BINOMIAL: Final = 0.330
MEAN: Final = 5.7
TO_TWO_LEVEL: Final = 0.338
BEST_CHANCE: Final = 0.47
_OUTCOMES: Final = 11
_SPLIT: Final = 6
_DIGITS: Final = 4  # of the histogram that is kept
_STARTS: Final = 6
_MARGIN: Final = 0.9  # of half a printed digit, so that rounding the histogram keeps within it


def reconstruct_teeth() -> NDArray[np.float64]:
    """Return the smoothest histogram of 0 to 10 teeth with all printed figures.

    Smooth means the least sum of squared second differences. Each figure is held to where it rounds
    to its printed digits.

    Returns:
        float64 (11,), chances with four decimals that add up to 1.
    """
    from scipy.optimize import LinearConstraint, NonlinearConstraint, minimize

    expected = divergence.binomial(_OUTCOMES - 1, MEAN / (_OUTCOMES - 1))
    numbers = np.arange(_OUTCOMES)

    def figures(p: NDArray[np.float64]) -> NDArray[np.float64]:
        late = divergence.two_level(_OUTCOMES, _SPLIT, float(p[_SPLIT:].sum() / p.sum()))
        return np.array(
            [
                divergence.entropy(p),
                divergence.kl_divergence(p, divergence.uniform(_OUTCOMES)),
                divergence.kl_divergence(p, expected),
                divergence.kl_divergence(expected, p),
                divergence.kl_divergence(p, late),
            ]
        )

    printed = np.array([ENTROPY, TO_UNIFORM, TO_BINOMIAL, FROM_BINOMIAL, TO_TWO_LEVEL])
    half = _MARGIN * 0.5 * np.array([1e-2, 1e-3, 1e-3, 1e-3, 1e-3])
    late = (numbers >= _SPLIT).astype(float)
    second = np.diff(np.eye(_OUTCOMES), 2, axis=0)
    constraints = [
        NonlinearConstraint(figures, printed - half, printed + half),
        LinearConstraint(np.ones(_OUTCOMES), 1, 1),
        LinearConstraint(numbers, MEAN - 0.045, MEAN + 0.045),
        LinearConstraint(late, BEST_CHANCE - 0.0045, BEST_CHANCE + 0.0045),
    ]
    best = None
    for seed in range(_STARTS):
        begin = np.random.default_rng(seed).dirichlet(np.full(_OUTCOMES, 8.0))
        found = minimize(
            lambda p: float(np.sum((second @ p) ** 2)) * 100,
            begin,
            method="SLSQP",
            bounds=[(1e-4, 1)] * _OUTCOMES,
            constraints=constraints,
            options={"maxiter": 2000, "ftol": 1e-12},
        )
        if found.success and (best is None or found.fun < best.fun):
            best = found
    assert best is not None, "no start led to a histogram with these figures"
    rounded = np.round(best.x, _DIGITS)
    rounded[np.argmax(rounded)] += 1 - rounded.sum()
    kept: NDArray[np.float64] = np.round(rounded, _DIGITS)
    return kept


if __name__ == "__main__":
    sys.stdout.write(" ".join(f"{chance:.{_DIGITS}f}" for chance in reconstruct_teeth()) + "\n")
