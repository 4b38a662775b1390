"""`anamorph info`: show a model's card."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from anamorph.card import Ancestor, Card, Port, Provenance, encode
from anamorph.commands.progress import locate
from anamorph.model_file import read_card


def info(model: str, *, json: Annotated[bool, Parameter(negative=())] = False) -> int:
    """Show a model's card: what it does, its data, licence, figures and gate result.

    Args:
        model: Name (see `anamorph models`), path, https:// or hf:// address.
        json: Print the card as it stands in the file.
    """
    path = locate(model)
    card = read_card(path)
    if json:
        print(encode(card).decode())
        return 0
    for label, value in rows(card, path):
        print(f"{label:<14} {value}")
    return 0


def rows(card: Card, path: Path) -> Iterator[tuple[str, str]]:
    """Yield the card as pairs of label and text, in reading order."""
    yield "name", f"{card.name}@{card.model_version}"
    if card.description:
        yield "", card.description
    yield "file", f"{path} ({path.stat().st_size / 1e6:.2f} MB)"
    yield "task", task_of(card)
    for port in card.inputs:
        yield "input", _port(port)
    for port in card.outputs:
        yield "output", _port(port)
    if card.context_before is None or card.context_after is None:
        yield "context", "unbounded: runs whole"
    else:
        sides = f"{card.context_before} before, {card.context_after} after"
        yield "context", f"{sides}, alignment {card.alignment}: can be tiled exactly"
    yield "licence", card.licence
    if card.attribution:
        yield "attribution", card.attribution
    yield from _provenance(card)
    for metric in card.metrics:
        beside = "" if metric.baseline is None else f" (without: {metric.baseline:.4g})"
        yield "metric", f"{metric.name} on {metric.on}: {metric.value:.4g} {metric.unit}{beside}"
    if card.gate is None:
        yield "gate", "none: this file never passed the export gate"
    else:
        agreed = f"{card.gate.greatest_error:.1e} of {card.gate.tolerance:.0e} allowed"
        tried = f"{len(card.gate.shapes)} shapes"
        versions = f"ONNX Runtime {card.gate.onnxruntime}, PyTorch {card.gate.pytorch}"
        yield "gate", f"greatest error {agreed}, {tried}, {versions}"
    yield "runs on", f"ONNX Runtime {card.minimum_onnxruntime or '?'} or newer"
    yield "digest", card.digest


def task_of(card: Card) -> str:
    """Return the task, and by how much an upscaler enlarges."""
    return f"{card.task} x{card.scale}" if card.task == "upscale" else card.task


def _port(port: Port) -> str:
    least = "" if port.minimum is None else f" from {port.minimum:g}"
    most = "" if port.maximum is None else f" to {port.maximum:g}"
    return f"{port.name}: {port.dtype} ({', '.join(port.axes)}){least}{most} {port.unit}".rstrip()


def _provenance(card: Card) -> Iterator[tuple[str, str]]:
    made = card.provenance
    if made is None:
        return
    spent = f"seed {made.seed}, {_hours(made)}"
    yield "trained by", f"recipe {made.recipe}, {made.steps} steps, {spent}"
    yield "", ", ".join(f"{key}={value}" for key, value in made.config.items())
    if made.start is not None:
        yield "began with", _ancestor(made.start)
    if made.voice is not None:
        yield "taught by", _ancestor(made.voice)
    for part in made.parts:
        yield "contains", _ancestor(part)
    for dataset in made.datasets:
        yield "trained on", f"{dataset.name} ({dataset.items} items, {dataset.licence})"
    yield "made", f"{made.date} from code {made.code_revision or 'unknown'}"


def _ancestor(one: Ancestor) -> str:
    before = "" if one.start is None else f"; before that {_ancestor(one.start)}"
    taught = "" if one.voice is None else f"; taught by {_ancestor(one.voice)}"
    return f"recipe {one.recipe}, {one.steps} steps, {_hours(one)}{taught}{before}"


def _hours(spent: Provenance | Ancestor) -> str:
    on_gpu = f", {spent.gpu_hours:.2f} GPU-hours" if spent.gpu_hours else ""
    return f"{spent.cpu_hours:.2f} CPU-hours{on_gpu}"
