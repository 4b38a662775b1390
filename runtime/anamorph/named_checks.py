"""Check models whose graphs have named outputs: of codes, of anomalies and of outliers."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from anamorph.card import Card
from anamorph.session import Session

TOLERANCE: Final = 1e-4  # share of an output's range, as the export gate's
_SIZES: Final = ((64, 64), (17, 90), (128, 33))  # pixels: even, flat and tall

Outputs = dict[str, NDArray[np.float32]]


def named_findings(session: Session) -> Iterator[tuple[str, bool | None, str]]:
    """Yield what was checked, whether it holds (None for a note), and what was found.

    Args:
        session: Of a model for ``reconstruct``, ``detect`` or ``outliers``.

    Raises:
        ModelFileError: The graph fails.
    """
    card = session.card
    inputs = [_input(card, seed, size) for seed, size in enumerate(_SIZES)]
    outputs = [session.run_named(one) for one in inputs]
    wrong = [
        f"{name} {value.shape}"
        for given, made in zip(inputs, outputs, strict=True)
        for name, value in made.items()
        if value.shape != _shape(card, name, given)
    ]
    tried = " and ".join(str(tuple(value.shape)) for one in inputs for value in one.values())
    yield "shapes", not wrong, f"made {', '.join(wrong)}" if wrong else f"as promised for {tried}"
    if wrong:
        return
    bad = sum(int((~np.isfinite(v)).sum()) for made in outputs for v in made.values())
    yield "finite", not bad, f"{bad} outputs are NaN or infinite" if bad else "all outputs"
    if bad:
        return
    yield _range(card, outputs)
    yield _batches(session, inputs[0], outputs[0])
    again = session.run_named(inputs[0])
    error = _difference(outputs[0], again)
    same = all(np.array_equal(again[name], value) for name, value in outputs[0].items())
    on_cpu = session.device == "cpu"
    yield "determinism", same if on_cpu else error <= TOLERANCE, f"two runs differ by {error:.1e}"


def _input(card: Card, seed: int, size: tuple[int, int]) -> dict[str, Any]:
    generator = np.random.default_rng(seed)
    name = card.inputs[0].name
    if name == "code":
        return {name: generator.standard_normal((1, card.latent_width), np.float32)}
    return {name: generator.random((1, 3, *size), np.float32)}


def _shape(card: Card, name: str, given: dict[str, Any]) -> tuple[int, ...]:
    """Return the shape that an output must have."""
    (value,) = given.values()
    port = next(port for port in card.outputs if port.name == name)
    sizes = {
        "batch": len(value),
        "latent": card.latent_width,
        "class": len(card.labels),
        "channel": 3,
        "height": card.height if card.role == "decoder" else value.shape[-2],
        "width": card.width if card.role == "decoder" else value.shape[-1],
    }
    return tuple(sizes[axis] for axis in port.axes)


def _range(card: Card, outputs: list[Outputs]) -> tuple[str, bool, str]:
    for port in card.outputs:
        least = min(float(made[port.name].min()) for made in outputs)
        greatest = max(float(made[port.name].max()) for made in outputs)
        low = -np.inf if port.minimum is None else port.minimum
        high = np.inf if port.maximum is None else port.maximum
        if least < low or greatest > high:
            return "range", False, f"{port.name} from {least:.4g} to {greatest:.4g}"
    return "range", True, "all outputs within the card's"


def _batches(session: Session, given: dict[str, Any], alone: Outputs) -> tuple[str, bool, str]:
    """Compare one input alone with the same one beside another."""
    ((name, value),) = given.items()
    other = value[..., ::-1]
    pair = session.run_named({name: np.concatenate([value, other])})
    error = _difference(alone, {key: made[:1] for key, made in pair.items()})
    return "batches", error <= TOLERANCE, f"a batch of 2 differs from 1 by {error:.1e}"


def _difference(one: Outputs, other: Outputs) -> float:
    """Return the greatest difference, as a share of each output's greatest value or of 1."""
    return max(
        float(np.abs(value - other[name]).max()) / max(1.0, float(np.abs(value).max()))
        for name, value in one.items()
    )
