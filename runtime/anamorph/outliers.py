"""Tell how new or rare a picture is among those that a model knows."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from anamorph.card import Calibration
from anamorph.errors import InputError, ModelFileError
from anamorph.loaded_model import LoadedModel
from anamorph.picture import Picture
from anamorph.picture_planes import to_planes

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

    from anamorph.session import Session


@dataclass(frozen=True)
class Strangeness:
    """How strange one picture is.

    Attributes:
        scores: By what they are called: ``neighbours``, ``density``, ``mahalanobis``, ``elbo``.
        strangeness: The greatest of the chosen scores, each counted from what is normal: 0 at the
            median of the normal pictures, 1 at the threshold.
        by: The score that it comes from.
    """

    scores: dict[str, float]
    strangeness: float
    by: str

    @property
    def outlier(self) -> bool:
        """Whether any chosen score is above its threshold."""
        return self.strangeness > 1


class OutlierFinder(LoadedModel):
    """Tells how rare pictures are; made by ``anamorph.load``.

    Args:
        session: What runs the graph.
    """

    def __init__(self, session: "Session") -> None:
        super().__init__(session)
        self._graph = session

    def __repr__(self) -> str:
        return f"OutlierFinder({self.origin}, {', '.join(self.scores)}, {self.provider})"

    @property
    def scores(self) -> tuple[str, ...]:
        """What the model can tell outliers by, the best first."""
        return tuple(port.name for port in self.card.outputs)

    def check_score(self, name: str) -> None:
        """Refuse a score that the model does not have.

        Raises:
            InputError: It has no such score.
        """
        if name not in self.scores:
            raise InputError(
                f"score {name!r}: {self.origin} has {', '.join(self.scores)}; give one of them"
            )

    def measure(
        self,
        picture: "str | os.PathLike[str] | bytes | Picture | PillowImage | np.ndarray",
        *,
        by: Sequence[str] = (),
    ) -> Strangeness:
        """Tell how strange a picture is.

        Args:
            picture: Path or content of a file, a Picture, a Pillow image, or an array as
                ``Picture.pixels`` describes it.
            by: Scores to judge by, of which any makes an outlier; by default the model's first.

        Raises:
            InputError: The picture cannot be used, or the model has no such score.
        """
        chosen = tuple(by) or self.scores[:1]
        for name in chosen:
            self.check_score(name)
        found = self._graph.run_named({"picture": to_planes(picture)})
        if any(value.shape != (1,) or not np.isfinite(value[0]) for value in found.values()):
            raise ModelFileError(
                f"{self.origin}: made scores that are no numbers, or not one for one picture; "
                "check it with: anamorph check"
            )
        scores = {name: float(value[0]) for name, value in found.items()}
        ranks = {name: _rank(scores[name], self.card.calibrations[name]) for name in chosen}
        strangest = max(ranks, key=lambda name: ranks[name])
        return Strangeness(scores, ranks[strangest], strangest)


def _rank(score: float, normal: Calibration) -> float:
    middle = normal.quantiles["0.5"]
    rank = (score - middle) / max(normal.threshold - middle, 1e-12)
    return float(np.clip(rank, -1e6, 1e6))
