"""Geometric self-ensemble: the mean over the eight rotations and reflections of a picture.

Timofte et al. 2016, "Seven ways to improve example-based single image super resolution"; Lim et
al. 2017 (EDSR) mark it with "+". It wraps what runs a graph, so that tiles, transparency and
rounding stay as they are: turned tiles are exact where the card says what turning asks for.
"""

from itertools import product
from math import lcm
from typing import Final

import numpy as np
from msgspec.structs import replace

from anamorph.card import Card
from anamorph.upscaling import Session

_EIGHTH: Final = np.float32(1 / 8)


class SelfEnsemble:
    """A session that runs every batch eight times, and returns the mean.

    What the model asks to be padded is padded once, before turning.

    Args:
        session: What runs the graph.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._card = turned_card(session.card)

    @property
    def card(self) -> Card:
        """The model's card, with the geometry that holds for the mean."""
        return self._card

    @property
    def device(self) -> str:
        """Device that it runs on, such as ``cpu``."""
        return self._session.device

    @property
    def provider(self) -> str:
        """ONNX Runtime's name of what runs it."""
        return self._session.provider

    def run(self, batch: np.ndarray) -> np.ndarray:
        """Return the mean of the eight, each turned back.

        One runs after another, so memory holds one result and the sum.

        Args:
            batch: float32 (n, 3, h, w) in [0, 1].

        Returns:
            float32 (n, 3, h * scale, w * scale).

        Raises:
            ModelFileError: The graph fails, or returns another size than its card says.
            InputError: There is not enough memory.
        """
        total = self._session.run(batch).copy()
        for swapped, down, across in list(product((False, True), (1, -1), (1, -1)))[1:]:
            turned = batch[:, :, ::down, ::across]
            if swapped:
                turned = turned.swapaxes(2, 3)
            result = self._session.run(np.ascontiguousarray(turned))
            if swapped:
                result = result.swapaxes(2, 3)
            total += result[:, :, ::down, ::across]
        total *= _EIGHTH
        return total


def turned_card(card: Card) -> Card:
    """Return a card whose geometry holds however a picture is turned.

    A reflected tile has its context on the other side, so both sides need the greater. It starts
    where it ended: ends must be aligned too, those of the padded picture, from which reflected
    starts are counted, and those of every tile.
    """
    before, after = card.context_before, card.context_after
    reach = None if before is None or after is None else max(before, after)
    return replace(
        card,
        context_before=reach,
        context_after=reach,
        size_multiple=lcm(card.alignment, card.size_multiple),
    )
