"""The card: everything that is needed to run one model file and to trust it.

A card travels as JSON under the key ``anamorph.card`` of the ONNX file's ``metadata_props``.
Unknown keys are ignored within a major schema version; a newer major version is refused.

A file may come from anyone, so that what its card says is bounded before anything is allocated or
shown: sizes are at most what a real model could ask for, and no text holds control characters,
which would rule the terminal that shows them.
"""

import re
from collections.abc import Iterator
from math import lcm
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from anamorph.errors import ModelFileError

SCHEMA: Final = (1, 3)
METADATA_KEY: Final = "anamorph.card"
MAX_CARD_BYTES: Final = 1 << 20

MAX_SCALE: Final = 16
MAX_STEP: Final = 4096  # pixels or samples: of multiples, of alignments and of least sizes
MAX_CONTEXT: Final = 1_000_000  # pixels or samples: 20 seconds of sound at 48 kHz
MAX_SAMPLE_RATE: Final = 768_000  # Hz: the highest of any converter
MAX_LATENT_WIDTH: Final = 1_000_000
MAX_SIDE: Final = 4096  # pixels that a picture inside a graph has along one side

# \Z, since $ would let a line end follow.
Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._-]*\Z", max_length=100)]
Count = Annotated[int, Meta(ge=1)]
Extent = Annotated[int, Meta(ge=0)]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Scale = Annotated[int, Meta(ge=1, le=MAX_SCALE)]
Step = Annotated[int, Meta(ge=1, le=MAX_STEP)]
Reach = Annotated[int, Meta(ge=0, le=MAX_CONTEXT)]
SampleRate = Annotated[int, Meta(ge=0, le=MAX_SAMPLE_RATE)]
LatentWidth = Annotated[int, Meta(ge=0, le=MAX_LATENT_WIDTH)]
Side = Annotated[int, Meta(ge=0, le=MAX_SIDE)]
Task = Literal[
    "upscale", "convert", "vocode", "translate", "generate", "reconstruct", "detect", "outliers"
]  # vocode: since schema 1.2; outliers: since 1.3
Release = Annotated[str, Meta(pattern=r"^([0-9][0-9a-z.+-]*)?\Z", max_length=40)]

# C0, DEL and C1, line ends of Unicode, and what turns the direction of the text around it.
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class Struct(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Shared settings of the card's parts: immutable, named fields, unknown keys ignored."""


class Port(Struct, frozen=True):
    """One tensor that crosses the boundary of the graph.

    Attributes:
        name: Name in the graph.
        meaning: What it holds, such as ``picture`` or ``waveform``.
        axes: Axis names in order, such as ``("batch", "channel", "height", "width")``.
        channels: Meaning of the channel axis in order, such as ``("red", "green", "blue")``.
        minimum: Least value, in ``unit``; null where unbounded, with or without a maximum.
        maximum: Greatest value, in ``unit``; null where unbounded, with or without a minimum.
        unit: What the numbers measure, such as ``sRGB, encoded``.
        dtype: Element type.
    """

    name: str
    meaning: str
    axes: tuple[str, ...]
    channels: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    unit: str = ""
    dtype: Literal["float32", "float16", "int64"] = "float32"


class Dataset(Struct, frozen=True):
    """A data set that the weights were trained on."""

    name: str
    licence: str
    digest: Sha256
    items: Count


class Metric(Struct, frozen=True):
    """One figure measured on a named set.

    Attributes:
        name: Such as ``psnr_y``.
        on: The set, such as ``Set5 x4``.
        value: The figure, in ``unit``.
        unit: Such as ``dB``.
        baseline: The same figure without the model (for upscaling: bicubic).
    """

    name: str
    on: str
    value: float
    unit: str = ""
    baseline: float | None = None


class Ancestor(Struct, frozen=True):
    """The run whose weights another one began with.

    Attributes:
        recipe: Name of its recipe.
        steps: Its optimiser steps up to those weights.
        cpu_hours: Spent on it.
        gpu_hours: Spent on it.
        datasets: What it was trained on.
        code_revision: Of the code that ran it.
        start: The run whose weights it began with itself.
        checkpoint: SHA-256 of the file of those weights.
        voice: The converter whose output it learnt from, of a vocoder.
    """

    recipe: str
    steps: Extent
    cpu_hours: float = 0.0
    gpu_hours: float = 0.0
    datasets: tuple[Dataset, ...] = ()
    code_revision: str = ""
    start: "Ancestor | None" = None
    checkpoint: str = ""
    voice: "Ancestor | None" = None


class Provenance(Struct, frozen=True):
    """How the weights came to be; those of a start and of other parts are told with it."""

    recipe: str
    config: dict[str, Any]
    seed: int
    steps: Extent
    cpu_hours: float = 0.0
    gpu_hours: float = 0.0
    datasets: tuple[Dataset, ...] = ()
    code_revision: str = ""
    date: str = ""
    start: Ancestor | None = None
    parts: tuple[Ancestor, ...] = ()
    voice: Ancestor | None = None


class Gate(Struct, frozen=True):
    """What the export gate saw: ONNX Runtime against PyTorch on unseen inputs.

    Attributes:
        shapes: Input shapes that were tried.
        greatest_error: Greatest absolute difference, as a share of the output's range.
        tolerance: What was allowed.
        onnxruntime: Version that ran the file.
        pytorch: Version that it was compared with.
    """

    shapes: tuple[tuple[int, ...], ...]
    greatest_error: float
    tolerance: float
    onnxruntime: str
    pytorch: str


class Calibration(Struct, frozen=True):
    """Where the line between normal and not is drawn, measured on normal data.

    Attributes:
        threshold: Values above it are not normal.
        false_positive_rate: Share of the normal data that lies above it.
        quantiles: Of the normal data: the value below which each share lies, such as ``"0.5"``.
    """

    threshold: float
    false_positive_rate: float
    quantiles: dict[str, float] = {}


class Latent(Struct, frozen=True):
    """What one number of a code does over the data that it was learnt from.

    Attributes:
        mean: Of the codes.
        deviation: Standard deviation of the codes; near 0 where a VAE leaves it unused.
        divergence: Mean divergence of its posterior from N(0, 1), in nats: what it tells of a
            picture; 0 for autoencoders without a posterior.
    """

    mean: float
    deviation: float
    divergence: float = 0.0


class Card(Struct, frozen=True):
    """All that is needed to run one graph and to trust it.

    Attributes:
        schema: ``(major, minor)`` of this description.
        name: Name under which the model is known.
        model_version: Version of the weights, counted from 1.
        task: What the model does; decides the class that runs it.
        role: Part that this graph plays in a family of graphs; ``model`` where it is the only one.
        family: Name that the graphs of one family share.
        family_digest: Digest that the graphs of one family share.
        description: One sentence for people.
        inputs: Tensors that go in.
        outputs: Tensors that come out.
        scale: Output pixels per input pixel along each axis, 1 to ``MAX_SCALE``.
        sample_rate: Hz, up to ``MAX_SAMPLE_RATE``; 0 where the model has no time axis.
        hop_length: Output samples per input frame, up to ``MAX_STEP``; 0 where no frames come in.
        size_multiple: Height and width (or samples) must be multiples of this, 1 to ``MAX_STEP``.
        minimum_size: Least height and width (samples, frames) the graph accepts, 1 to ``MAX_STEP``.
        context_before: Input pixels, samples or frames left of (above) an output's own position
            that it depends on, up to ``MAX_CONTEXT``; null where unbounded, so that it runs whole.
        context_after: The same to the right (below).
        alignment: Tiles and chunks must start at multiples of this, in input pixels or samples;
            its least common multiple with ``size_multiple`` is at most ``MAX_STEP``.
        latent_width: Numbers in a latent code, up to ``MAX_LATENT_WIDTH``; 0 where there is none.
        labels: Names of the classes, in order.
        height: Height of the pictures inside the graph, up to ``MAX_SIDE``, which others are
            brought to; that of a decoder's pictures; 0 where the graph keeps the size.
        width: Their width.
        latents: What each number of a code does; none for other models.
        prior: Distribution that codes can be drawn from; empty where they follow none.
        calibrations: Thresholds by the name of the output that they are for.
        licence: SPDX identifier or short name of the licence of the weights.
        attribution: Whom the licence asks to name.
        provenance: How the weights came to be.
        metrics: Figures on named sets.
        gate: The export gate's result; null for a file that never passed it.
        digest: SHA-256 over the model's bytes without this card.
        minimum_onnxruntime: Oldest ONNX Runtime that runs the file.
    """

    name: Name
    task: Task
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    licence: str
    schema: tuple[int, int] = SCHEMA
    model_version: Count = 1
    role: Name = "model"
    family: Name | Literal[""] = ""
    family_digest: str = ""
    description: str = ""
    scale: Scale = 1
    sample_rate: SampleRate = 0
    hop_length: Annotated[int, Meta(ge=0, le=MAX_STEP)] = 0
    size_multiple: Step = 1
    minimum_size: Step = 1
    context_before: Reach | None = None
    context_after: Reach | None = None
    alignment: Step = 1
    latent_width: LatentWidth = 0
    labels: tuple[str, ...] = ()
    height: Side = 0
    width: Side = 0
    latents: tuple[Latent, ...] = ()
    prior: Literal["", "normal"] = ""
    calibrations: dict[str, Calibration] = {}
    attribution: str = ""
    provenance: Provenance | None = None
    metrics: tuple[Metric, ...] = ()
    gate: Gate | None = None
    digest: str = ""
    minimum_onnxruntime: Release = ""


class _Version(msgspec.Struct):
    schema: tuple[int, int]


def encode(card: Card) -> bytes:
    """Return the card as JSON, with its schema version always spelt out."""
    fields = {"schema": card.schema, **msgspec.to_builtins(card)}
    return msgspec.json.format(msgspec.json.encode(fields), indent=1)


def decode(data: bytes | memoryview, origin: str) -> Card:
    """Read a card from JSON.

    Args:
        data: UTF-8 JSON as ``encode`` writes it.
        origin: File that it came from, for messages.

    Raises:
        ModelFileError: The JSON is damaged, lacks a field, has a newer major schema, or a field
            is out of bounds or holds control characters.
    """
    try:
        major, minor = msgspec.json.decode(data, type=_Version).schema
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ModelFileError(
            f"{origin}: its card is damaged ({error}); export or download the model again"
        ) from None
    if major > SCHEMA[0]:
        raise ModelFileError(
            f"{origin}: its card has schema {major}.{minor}, this Anamorph reads up to "
            f"{SCHEMA[0]}.x; upgrade with: pip install --upgrade anamorph"
        )
    try:
        card = msgspec.json.decode(data, type=Card)
        _check(card)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ModelFileError(
            f"{origin}: its card does not follow schema {major}.{minor} ({printable(str(error))}); "
            "export the model again"
        ) from None
    return card


def printable(text: str) -> str:
    """Return text from a model file with each control character as a question mark."""
    return _CONTROL.sub("?", text)


def _check(card: Card) -> None:
    """Refuse what the types of single fields cannot.

    Raises:
        msgspec.ValidationError: Says what is wrong and where.
    """
    for place, text in _texts("$", msgspec.to_builtins(card)):
        if _CONTROL.search(text):
            raise msgspec.ValidationError(f"Control characters in text - at `{place}`")
    if lcm(card.alignment, card.size_multiple) > MAX_STEP:
        raise msgspec.ValidationError(
            f"No multiple of both {card.alignment} and {card.size_multiple} up to {MAX_STEP} - at "
            "`$.alignment`"
        )
    if card.latents and len(card.latents) != card.latent_width:
        raise msgspec.ValidationError(
            f"{len(card.latents)} latents where the width is {card.latent_width} - at `$.latents`"
        )
    for port in (*card.inputs, *card.outputs):
        if port.minimum is not None and port.maximum is not None and port.minimum > port.maximum:
            raise msgspec.ValidationError(
                f"Minimum {port.minimum:g} above maximum {port.maximum:g} - at port `{port.name}`"
            )


def _texts(place: str, value: object) -> Iterator[tuple[str, str]]:
    """Yield every text within plain JSON values, keys included, with where it stands."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict):
        for key, part in value.items():
            yield f"{place} (a key)", key
            yield from _texts(f"{place}.{key}", part)
    elif isinstance(value, list | tuple):
        for index, part in enumerate(value):
            yield from _texts(f"{place}[{index}]", part)
