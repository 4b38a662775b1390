"""Exact chunking along one axis: samples of a waveform, or frames of a spectrogram.

As pictures are tiled: a chunk is read with all that its outputs depend on, and what lies beyond
goes, so that chunks give what the whole would.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

import numpy as np

from anamorph.card import Card
from anamorph.errors import InputError
from anamorph.tiling import Geometry, Span, spans
from anamorph.upscaling import Session

# Samples that a chunk makes unless the caller says otherwise, context included: 12 seconds at
# 22.05 kHz, near the fastest on a CPU, in less than a hundred megabytes.
AUTO_CHUNK: Final = 2**18

Read = Callable[[int, int], np.ndarray]


def geometry_of(card: Card) -> Geometry:
    """Return what a model asks of its chunks; where its context is unbounded, of the whole."""
    return Geometry(
        before=card.context_before or 0,
        after=card.context_after or 0,
        alignment=card.alignment,
        multiple=card.size_multiple,
        minimum=card.minimum_size,
    )


def plan_chunks(card: Card, length: int, *, chunk: int | None = None) -> tuple[Span, ...]:
    """Divide an input into chunks; into one where the model's context is unbounded.

    Args:
        card: The model's card.
        length: Samples or frames of the input.
        chunk: Most of them that one chunk may read, context included; None chooses.

    Returns:
        What is kept covers the input; what the last one reads may go on beyond, so that the graph
        gets a length that it takes.

    Raises:
        InputError: The chunk is too short for the model's context.
    """
    geometry = geometry_of(card)
    padded = geometry.padded(length)
    if card.context_before is None or card.context_after is None:
        if chunk is not None and chunk < padded:
            raise InputError(
                f"chunk of {chunk}: {card.name} depends on the whole recording, of {padded}; "
                "give no chunk"
            )
        chunk = max(padded, geometry.least_window)
    if chunk is None:
        chunk = max(AUTO_CHUNK // (card.hop_length or 1), geometry.least_window)
    if chunk < geometry.least_window:
        raise InputError(
            f"chunk of {chunk}: {card.name} needs at least {geometry.least_window}; "
            "give a longer chunk"
        )
    found = spans(padded, window=chunk, geometry=geometry)
    return (*found[:-1], replace(found[-1], keep_stop=length))


def run_chunks(session: Session, plan: tuple[Span, ...], read: Read) -> Iterator[np.ndarray]:
    """Run every chunk, and yield what is kept of each: float32 (batch, samples).

    Args:
        session: What runs the graph.
        plan: As `plan_chunks` returns it.
        read: Returns the input from one position to another: float32 (batch, ..., steps). Both
            only rise from call to call.
    """
    rate = session.card.hop_length or 1
    for span in plan:
        made = session.run(read(span.read_start, span.read_stop))
        start = (span.keep_start - span.read_start) * rate
        yield made[:, start : start + (span.keep_stop - span.keep_start) * rate]
