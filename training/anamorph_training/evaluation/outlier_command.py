"""`anamorph evaluate outliers`: how well what is new is told from what was learnt."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import msgspec
import numpy as np
from cyclopts import Parameter
from numpy.typing import NDArray

from anamorph.errors import InputError
from anamorph_training.data.tables import Labelled, read_parts
from anamorph_training.evaluation.anomalies import auroc
from anamorph_training.evaluation.table import aligned
from anamorph_training.options import Extent

_PLACE: Final = "{}"


@dataclass(frozen=True)
class LeftOut:
    """How well one class is told that a model never saw.

    Attributes:
        label: The class.
        scores: AUROC of each score, PCA with nearest neighbours among them.
    """

    label: int
    scores: dict[str, float]


def outliers(
    model: str,
    *,
    data: Path,
    components: Extent = 16,
    neighbours: int = 5,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Measure how well finders of outliers tell the class that each was trained without.

    Beside their scores stands the distance to the nearest neighbours after a principal component
    analysis of the same training pictures.

    Args:
        model: Files of finders of outliers, with {} for the class that was left out, such as
            runs/without-{}.onnx.
        data: IDX file of pictures, or MedMNIST .npz, whose test part is measured.
        components: Of the principal component analysis; 0 leaves it out.
        neighbours: Of it.
        json: Print one JSON object per class instead of a table.
    """
    if _PLACE not in model:
        raise InputError(f"{model}: give a name with {_PLACE} for the class that was left out")
    parts = read_parts(data)
    training, test = parts["train"], parts["test"]
    rows = []
    for label in np.unique(test.labels):
        file = Path(model.replace(_PLACE, str(label)))
        scores = _measure(file, test)
        if components:
            known = training.where(training.labels != label)
            scores[f"PCA {components}"] = _neighbours(known, test, components, neighbours)
        wrong = test.labels == label
        found = {name: auroc(values, wrong) for name, values in scores.items()}
        rows.append(LeftOut(int(label), found))
        if json:
            sys.stdout.write(msgspec.json.encode(rows[-1]).decode() + "\n")
    if not json:
        names = list(rows[0].scores)
        table = [["left out", *names]]
        table += [[str(row.label), *(f"{row.scores[n]:.3f}" for n in names)] for row in rows]
        means = [float(np.mean([row.scores[name] for row in rows])) for name in names]
        table.append(["mean", *(f"{mean:.3f}" for mean in means)])
        sys.stdout.write(aligned(table))


def _measure(file: Path, test: Labelled) -> dict[str, NDArray[np.float64]]:
    from anamorph.loading import load_outlier_finder

    finder = load_outlier_finder(file, device="cpu")
    found = [finder.measure(one[0]).scores for one in test.pixels]
    return {name: np.array([one[name] for one in found]) for name in finder.scores}


def _neighbours(
    known: Labelled, test: Labelled, components: int, neighbours: int
) -> NDArray[np.float64]:
    from sklearn.decomposition import PCA
    from sklearn.neighbors import NearestNeighbors

    bank, asked = (one.pixels.reshape(len(one), -1) / 255 for one in (known, test))
    pca = PCA(components, random_state=0).fit(bank)
    near = NearestNeighbors(n_neighbors=neighbours).fit(pca.transform(bank))
    distances: NDArray[np.float64] = near.kneighbors(pca.transform(asked))[0].mean(1)
    return distances
