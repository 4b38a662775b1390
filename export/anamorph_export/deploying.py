"""Lead a trained network through the gate into a file, or leave no file."""

import datetime
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from msgspec.structs import replace
from numpy.typing import NDArray
from torch import nn

from anamorph.card import Card, Provenance
from anamorph.errors import InputError, OutputError
from anamorph.model_file import embed_card
from anamorph.new_file import cannot_write, write_whole
from anamorph_export import gate, upscaling
from anamorph_export.exporting import MINIMUM_ONNXRUNTIME, to_onnx
from anamorph_export.gate import Finding, GateError
from anamorph_export.graphs import UpscalerGraph, picture_port
from anamorph_export.measuring import Figures, measure_file
from anamorph_export.pictures import natural_pictures, random_pictures
from anamorph_export.simplifying import round_to_half, simplify
from anamorph_training.evaluation.upscaling import Example

# Seeds of the pictures: others than any that shaped the graph.
_EXAMPLE_SEED: Final = 1
_GATE_SEED: Final = 20_000
HOLDOUT: Final = "held-out pictures"

Pixels = NDArray[np.uint8]
Report = Callable[[Finding], None]


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What people will know a model by.

    Attributes:
        name: Lower case letters, digits, dots, dashes and underscores.
        model_version: Counted from 1.
        description: One sentence.
        licence: SPDX identifier or short name of the licence of the weights.
        attribution: Whom the licence asks to name.
    """

    name: str
    model_version: int = 1
    description: str = ""
    licence: str = "unstated"
    attribution: str = ""


def check_target(target: Path, *, force: bool) -> None:
    """Refuse an output path before any work is done.

    Raises:
        OutputError: It does not end in .onnx, is a folder, or exists and ``force`` is off.
    """
    if target.suffix != ".onnx":
        raise OutputError(f"{target}: models end in .onnx; try: -o {target.stem or 'model'}.onnx")
    if target.is_dir():
        raise OutputError(f"{target}: is a folder; give the path of a file")
    if target.exists() and not force:
        raise OutputError(f"{target}: exists and is kept; choose another -o or add --force")


def deploy_upscaler(
    network: nn.Module,
    target: Path,
    *,
    identity: Identity,
    provenance: Provenance | None = None,
    holdout: Sequence[Example],
    test_sets: Mapping[str, Sequence[Example]] | None = None,
    perceptual: bool = False,
    force: bool = False,
    report: Report = lambda finding: None,
) -> Card:
    """Export an upscaler, gate it and write it.

    Args:
        network: In evaluation mode, with ``scale`` and ``context`` (input pixels on each side);
            see ``UpscalerGraph`` for what it maps.
        target: File to write; a temporary file beside it is renamed at the very end.
        identity: Name, version and licence.
        provenance: How the weights came to be.
        holdout: Pictures that were not trained on.
        test_sets: More of them by name; measured for the card, not judged.
        perceptual: It was trained to look real rather than to be near: its texture is judged, and
            its PSNR only has to be about bicubic's.
        force: Replace an existing file.
        report: Told of each check that is passed.

    Returns:
        The card as written.

    Raises:
        GateError: A check failed; nothing was written.
        OutputError: The target is refused.
    """
    check_target(target, force=force)
    if not holdout:
        raise InputError("no held-out pictures are given; quality cannot be checked without")
    draft = upscaler_card(network, identity, provenance)
    trained = UpscalerGraph(network)
    report(gate.check_network(trained))
    natural = natural_pictures(3, 40, 36, seed=_GATE_SEED)
    report(gate.check_determinism(trained, torch.from_numpy(natural)))
    rounded = simplified(trained)
    report(gate.check_rounding(trained, rounded, torch.from_numpy(natural)))
    with tempfile.TemporaryDirectory(prefix="anamorph-export-") as folder:
        data, card = gate_upscaler(
            rounded,
            upscaler_onnx(rounded),
            draft,
            holdout=holdout,
            test_sets=test_sets or {},
            perceptual=perceptual,
            folder=Path(folder),
            report=report,
        )
    write_model(target, data, force=force)
    return card


def upscaler_card(network: nn.Module, identity: Identity, provenance: Provenance | None) -> Card:
    """Describe an upscaler before it is gated."""
    source: Any = network  # nn.Module hides the types of its attributes
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    return Card(
        name=identity.name,
        model_version=identity.model_version,
        task="upscale",
        description=identity.description
        or f"Enlarges pictures {source.scale} times along each side.",
        inputs=(picture_port("picture"),),
        outputs=(picture_port("upscaled"),),
        licence=identity.licence,
        attribution=identity.attribution,
        scale=int(source.scale),
        context_before=int(source.context),
        context_after=int(source.context),
        provenance=replace(provenance, date=provenance.date or today) if provenance else None,
        minimum_onnxruntime=MINIMUM_ONNXRUNTIME,
    )


def simplified(graph: UpscalerGraph) -> UpscalerGraph:
    """Return the graph with the network that is stored: fewer operators, weights rounded."""
    example = torch.from_numpy(natural_pictures(1, 24, 20, seed=_EXAMPLE_SEED))
    network = simplify(graph.network, example)
    round_to_half(network)
    return UpscalerGraph(network)


def upscaler_onnx(graph: UpscalerGraph) -> bytes:
    """Return the graph as the bytes of an ONNX file without a card."""
    model = to_onnx(
        graph,
        {"picture": torch.from_numpy(natural_pictures(2, 24, 20, seed=_EXAMPLE_SEED))},
        ["upscaled"],
        axes={"picture": {0: "batch", 2: "height", 3: "width"}},
    )
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def gate_upscaler(
    reference: nn.Module,
    data: bytes,
    draft: Card,
    *,
    holdout: Sequence[Example],
    test_sets: Mapping[str, Sequence[Example]],
    perceptual: bool = False,
    folder: Path,
    report: Report = lambda finding: None,
) -> tuple[bytes, Card]:
    """Put an exported upscaler through every check of its file.

    Args:
        reference: The same graph in PyTorch.
        data: The ONNX file, without a card.
        draft: The card that it claims.
        holdout: As for ``deploy_upscaler``.
        test_sets: As for ``deploy_upscaler``.
        perceptual: As for ``deploy_upscaler``.
        folder: For temporary files.
        report: Told of each check that is passed.

    Returns:
        The file with its final card, and the card.

    Raises:
        GateError: A check failed.
    """
    report(gate.check_graph(data))
    run = gate.open_run(data)
    batches = unseen_batches(draft)
    finding, result = gate.check_parity(reference, run, batches, output_range=1.0)
    report(finding)
    lows = [example.low for example in holdout]
    real = [low.transpose(2, 0, 1)[None].astype(np.float32) / np.float32(255) for low in lows[:4]]
    report(upscaling.check_range(run, [*batches[1::2], *real], draft))
    report(upscaling.check_context(run, draft))
    file = folder / "candidate.onnx"
    file.write_bytes(embed_card(data, draft))
    report(upscaling.check_files(file, reference, [*_unseen_pixels(draft), lows[0]], folder))
    figures = measure_file(file, HOLDOUT, holdout, texture=perceptual)
    for finding in _judge(figures, perceptual=perceptual):
        report(finding)
    metrics = list(figures.metrics())
    for name, examples in test_sets.items():
        metrics += measure_file(file, name, examples, texture=perceptual).metrics()
    card = replace(draft, gate=result, metrics=tuple(metrics))
    return check_final(embed_card(data, card), folder, report)


def _judge(figures: Figures, *, perceptual: bool) -> Iterator[Finding]:
    if not perceptual:
        yield upscaling.check_quality(figures)
        return
    if figures.texture is None:
        raise GateError(
            "texture: all held-out pictures are smaller than 16 times the scale, too small to "
            "measure; train with larger pictures in --valid"
        )
    yield upscaling.check_quality(figures, least_gain=upscaling.LEAST_PERCEPTUAL_GAIN_DB)
    yield upscaling.check_texture(figures.texture)


def unseen_batches(card: Card) -> list[NDArray[np.float32]]:
    """Return random and natural pictures in turn, of the sizes that the gate tries."""
    batches = []
    for number, (count, _, height, width) in enumerate(upscaling.upscaler_shapes(card)):
        make = natural_pictures if number % 2 else random_pictures
        batches.append(make(count, height, width, seed=_GATE_SEED + number))
    return batches


def write_model(target: Path, data: bytes, *, force: bool) -> None:
    """Write a file that is there whole or not at all.

    Raises:
        OutputError: The target is refused, or the disk is.
    """
    make_folder(target)
    write_whole(target, data, force=force)


def make_folder(target: Path) -> None:
    """Make the folder that a file will lie in.

    Raises:
        OutputError: It cannot be made.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(target, error) from None


def _unseen_pixels(card: Card) -> list[Pixels]:
    """Return pictures that tiles have to share: natural and random, wide and tall, odd sides."""
    tile = upscaling.tile_side(card)
    wide = natural_pictures(1, tile // 2 + 3, 2 * tile + 1, seed=_GATE_SEED + 100)
    tall = random_pictures(1, tile + 9, 17, seed=_GATE_SEED + 101)
    return [np.rint(batch[0].transpose(1, 2, 0) * 255).astype(np.uint8) for batch in (wide, tall)]


def check_final(data: bytes, folder: Path, report: Report) -> tuple[bytes, Card]:
    """Let the runtime check the finished file as a user's `anamorph check` would."""
    from anamorph.checking import check

    gate.check_graph(data)  # now with its card
    file = folder / "final.onnx"
    file.write_bytes(data)
    result = check(file)
    for finding in result.findings:
        if not finding.ok:
            raise GateError(
                f"runtime: anamorph check finds {finding.name}: {finding.detail}; it must find "
                "nothing: report a bug"
            )
    assert result.card is not None
    report(Finding("runtime", f"{len(result.findings)} checks", "all of anamorph check"))
    return data, result.card
