"""How far single latents stand for single factors, by the five customary figures.

Each takes a representation: what returns codes for factors. So the figures can be tested on codes
whose score is known, and are the same for networks, files and anything else that encodes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.floating]
Factors = NDArray[np.int64]
Represent = Callable[[Factors], Codes]

_ALIKE: Final = 64  # pictures that share one factor, per vote
_BINS: Final = 20
_TEST_SHARE: Final = 0.25
_COLLAPSED: Final = 0.05  # variance below which a latent says nothing, where the prior's is 1
_TREES: Final = 40
_LEAST_LEAF: Final = 4


@dataclass(frozen=True)
class Disentanglement:
    """The figures of one representation, each from 0 to 1.

    Attributes:
        beta_vae: Accuracy of a linear classifier that tells which factor pairs share.
        factor_vae: Accuracy of a vote for it by the latent that varies least.
        mig: Mutual information gap.
        dci_disentanglement: Whether a latent matters to one factor alone.
        dci_completeness: Whether a factor needs one latent alone.
        dci_informativeness: Accuracy of the trees behind both.
        sap: Separated attribute predictability.
    """

    beta_vae: float
    factor_vae: float
    mig: float
    dci_disentanglement: float
    dci_completeness: float
    dci_informativeness: float
    sap: float


def measure_disentanglement(
    represent: Represent,
    sizes: Sequence[int],
    *,
    categorical: Sequence[int] = (),
    votes: int = 2000,
    samples: int = 10_000,
    seed: int = 0,
) -> Disentanglement:
    """Take all figures.

    Args:
        represent: Returns codes (n, d) of factors, int64 (n, k).
        sizes: Number of values of each of the k factors.
        categorical: Numbers of factors whose values have no order.
        votes: Times that the first two figures draw pictures which share a factor.
        samples: Pictures that the others are taken on.
        seed: Of what is drawn.
    """
    generator = np.random.default_rng(seed)
    factors = _draw(generator, sizes, samples)
    codes = represent(factors)
    disentangled, complete, informative = dci(codes, factors, seed=seed)
    return Disentanglement(
        beta_vae=beta_vae_score(represent, sizes, votes=votes, seed=seed),
        factor_vae=factor_vae_score(represent, sizes, votes=votes, seed=seed),
        mig=mutual_information_gap(codes, factors),
        dci_disentanglement=disentangled,
        dci_completeness=complete,
        dci_informativeness=informative,
        sap=attribute_predictability(codes, factors, categorical=categorical),
    )


def beta_vae_score(
    represent: Represent, sizes: Sequence[int], *, votes: int = 2000, seed: int = 0
) -> float:
    """Return how well the mean difference of pairs tells which factor they share.

    Pairs of pictures agree in one factor; the mean absolute difference of their codes over 64 pairs
    goes to a linear classifier, whose accuracy on new pairs is the score. A classifier that knows
    nothing has one over the number of factors. Higgins et al., 2017, section 3.

    Args:
        represent: Returns codes (n, d) of factors.
        sizes: Number of values of each factor.
        votes: Differences to learn from and to be judged on.
        seed: Of what is drawn.
    """
    from sklearn.linear_model import LogisticRegression

    generator = np.random.default_rng([seed, 1])
    differences, shared = [], generator.integers(len(sizes), size=votes)
    for factor in shared:
        first, second = (_draw(generator, sizes, _ALIKE) for _ in range(2))
        second[:, factor] = first[:, factor]
        codes = represent(np.concatenate([first, second]))
        differences.append(np.abs(codes[:_ALIKE] - codes[_ALIKE:]).mean(0))
    inputs = np.stack(differences)
    inputs = inputs / np.maximum(inputs.std(0), 1e-12)
    judged = int(votes * _TEST_SHARE)
    classifier = LogisticRegression(max_iter=2000).fit(inputs[judged:], shared[judged:])
    return float(classifier.score(inputs[:judged], shared[:judged]))


def factor_vae_score(
    represent: Represent, sizes: Sequence[int], *, votes: int = 2000, seed: int = 0
) -> float:
    """Return how often the latent that varies least tells which factor pictures share.

    Of 64 pictures that share one factor, the latent with the least variance, relative to that over
    all pictures, votes for it by majority; latents that say nothing do not vote. Accuracy on new
    votes. Kim & Mnih, "Disentangling by Factorising", 2018, section 4.

    Args:
        represent: Returns codes (n, d) of factors.
        sizes: Number of values of each factor.
        votes: To learn the majority from and to be judged on.
        seed: Of what is drawn.
    """
    generator = np.random.default_rng([seed, 2])
    spread = represent(_draw(generator, sizes, 4096)).var(0)
    active = spread > _COLLAPSED
    if not active.any():
        return 1 / len(sizes)
    shared = generator.integers(len(sizes), size=votes)
    steadiest = np.empty(votes, np.int64)
    for vote, factor in enumerate(shared):
        alike = _draw(generator, sizes, _ALIKE)
        alike[:, factor] = alike[0, factor]
        steadiest[vote] = np.argmin(represent(alike)[:, active].var(0) / spread[active])
    judged = int(votes * _TEST_SHARE)
    counts = np.zeros((int(active.sum()), len(sizes)), np.int64)
    np.add.at(counts, (steadiest[judged:], shared[judged:]), 1)
    return float(np.mean(counts.argmax(1)[steadiest[:judged]] == shared[:judged]))


def mutual_information_gap(codes: Codes, factors: Factors) -> float:
    """Return how much more the best latent says of a factor than the next, in shares of all of it.

    Latents are cut into 20 bins of equal width; mean over factors of
    ``(I(z_1; v) - I(z_2; v)) / H(v)``. Chen et al., "Isolating Sources of Disentanglement in VAEs",
    2018, eq. 6.

    Args:
        codes: Float (n, d).
        factors: int64 (n, k).
    """
    from sklearn.metrics import mutual_info_score

    binned = np.stack([np.digitize(z, np.histogram(z, _BINS)[1][:-1]) for z in codes.T])
    gaps = []
    for values in factors.T:
        known = sorted(mutual_info_score(z, values) for z in binned)
        second = known[-2] if len(known) > 1 else 0.0
        gaps.append((known[-1] - second) / mutual_info_score(values, values))
    return float(np.mean(gaps))


def dci(codes: Codes, factors: Factors, *, seed: int = 0) -> tuple[float, float, float]:
    """Return disentanglement, completeness and informativeness.

    Trees predict each factor from all latents; how much each latent matters to each factor makes a
    matrix. A latent's row has no entropy where it matters to one factor alone, a factor's column
    where it needs one latent alone. Informativeness is the trees' accuracy on new codes. Eastwood &
    Williams, "A Framework for the Quantitative Evaluation of Disentangled Representations", 2018;
    extremely randomised trees, where the paper has random forests.

    Args:
        codes: Float (n, d).
        factors: int64 (n, k).
        seed: Of the trees.
    """
    from sklearn.ensemble import ExtraTreesClassifier

    judged = int(len(codes) * _TEST_SHARE)
    importance, accuracy = [], []
    for values in factors.T:
        trees = ExtraTreesClassifier(
            _TREES,
            min_samples_leaf=_LEAST_LEAF,
            max_features=None,
            random_state=seed,
            n_jobs=1,
        ).fit(codes[judged:], values[judged:])
        importance.append(trees.feature_importances_)
        accuracy.append(trees.score(codes[:judged], values[:judged]))
    matrix = np.stack(importance, axis=1)  # (d, k)
    weight = matrix.sum(1) / max(matrix.sum(), 1e-12)
    disentangled = float(((1 - _entropy(matrix)) * weight).sum())
    weight = matrix.sum(0) / max(matrix.sum(), 1e-12)
    complete = float(((1 - _entropy(matrix.T)) * weight).sum())
    return disentangled, complete, float(np.mean(accuracy))


def attribute_predictability(
    codes: Codes, factors: Factors, *, categorical: Sequence[int] = ()
) -> float:
    """Return by how much the best single latent predicts a factor better than the next (SAP).

    A factor with an order is predicted by a line, scored by the share of its variance that is
    explained; one without by a linear classifier, scored by its accuracy. Mean over the factors of
    the difference. Kumar et al., "Variational Inference of Disentangled Latent Concepts from
    Unlabeled Observations", 2018, section 3.

    Args:
        codes: Float (n, d).
        factors: int64 (n, k).
        categorical: Numbers of factors whose values have no order.
    """
    gaps = []
    for number, values in enumerate(factors.T):
        score = _classify if number in categorical else _explain
        best = sorted(score(z, values) for z in codes.T)
        gaps.append(best[-1] - (best[-2] if len(best) > 1 else 0.0))
    return float(np.mean(gaps))


def _explain(z: Codes, values: NDArray[np.int64]) -> float:
    if z.std() < np.sqrt(_COLLAPSED):
        return 0.0
    return float(np.corrcoef(z, values)[0, 1] ** 2)


def _classify(z: Codes, values: NDArray[np.int64]) -> float:
    from sklearn.linear_model import LogisticRegression

    if z.std() < np.sqrt(_COLLAPSED):
        return 0.0
    judged = int(len(z) * _TEST_SHARE)
    inputs = (z[:, None] - z.mean()) / z.std()
    classifier = LogisticRegression(max_iter=500, class_weight="balanced")
    classifier.fit(inputs[judged:], values[judged:])
    return float(classifier.score(inputs[:judged], values[:judged]))


def _entropy(matrix: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the entropy of each row's shares, as a share of the greatest: (rows,)."""
    shares = (matrix + 1e-11) / (matrix + 1e-11).sum(1, keepdims=True)
    entropy: NDArray[np.floating] = -(shares * np.log(shares)).sum(1) / np.log(
        max(matrix.shape[1], 2)
    )
    return entropy


def _draw(generator: np.random.Generator, sizes: Sequence[int], count: int) -> Factors:
    return np.stack([generator.integers(size, size=count) for size in sizes], axis=1)
