"""Lead an autoencoder through the gate into two files, an encoder's and a decoder's, or none."""

import copy
import datetime
import hashlib
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from msgspec.structs import replace
from numpy.typing import NDArray
from torch import Tensor, nn

from anamorph.card import Card, Gate, Latent, Metric, Provenance
from anamorph.model_file import embed_card
from anamorph.new_file import replacing
from anamorph.picture import Picture
from anamorph.picture_planes import to_planes
from anamorph_export import gate
from anamorph_export.code_graphs import (
    ClassifierGraph,
    DecoderGraph,
    EncoderGraph,
    PosteriorGraph,
    chances_port,
    code_port,
)
from anamorph_export.deploying import HOLDOUT, Identity, Report, check_final, make_folder
from anamorph_export.exporting import MINIMUM_ONNXRUNTIME, to_onnx
from anamorph_export.gate import Finding, Floats, GateError, Joined
from anamorph_export.graphs import picture_port
from anamorph_export.pictures import natural_pictures, random_pictures
from anamorph_export.simplifying import round_to_half
from anamorph_training.finished_run import KnownCodes
from anamorph_training.latent_losses import kl_per_latent

# dB of PSNR above showing the mean of the held-out pictures, whatever comes in.
LEAST_GAIN_DB: Final = 0.5
_GATE_SEED: Final = 20_000
_ROLES: Final = ("encoder", "decoder")
_SIZES: Final = ((1, 28, 28), (2, 64, 64), (3, 41, 90), (1, 200, 113))
_UNIT: Final = 1.0

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Part:
    """One graph of a model, before it is a file.

    Attributes:
        graph: As it was trained.
        rounded: The same with the weights that are stored.
        draft: The card that it claims.
        batches: Unseen inputs, the second of two or more.
        ranges: Greatest less least value of each output.
    """

    graph: nn.Module
    rounded: nn.Module
    draft: Card
    batches: Sequence[Floats]
    ranges: tuple[float, ...]


def deploy_codes(
    network: nn.Module,
    target: Path,
    *,
    identity: Identity,
    provenance: Provenance | None = None,
    held: Sequence[Pixels],
    known: KnownCodes,
    labels: Sequence[str] = (),
    force: bool = False,
    report: Report = lambda finding: None,
) -> Card:
    """Export an encoder and a decoder, gate both and write both.

    Args:
        network: `Autoencoder`, `VAE` or `DebiasingVAE`, in evaluation mode.
        target: ``NAME.onnx``; ``NAME.encoder.onnx`` and ``NAME.decoder.onnx`` are written.
        identity: Name, version and licence.
        provenance: How the weights came to be.
        held: uint8 (rows, columns, 3) each, pictures that were not trained on.
        known: Codes of pictures that were.
        labels: Names of the classes, of a classifier.
        force: Replace existing files.
        report: Told of each check that is passed.

    Returns:
        The encoder's card as written.

    Raises:
        GateError: A check failed; nothing was written.
        OutputError: A target is refused.
    """
    targets = code_files(target)
    rounded = copy.deepcopy(network)
    round_to_half(rounded)
    parts = _parts(network, rounded, identity, provenance, held, known, labels)
    gated = {role: gate_part(part, report) for role, part in parts.items()}
    contents = b"".join(hashlib.sha256(data).digest() for data, _ in gated.values())
    shared = {"family": target.stem, "family_digest": hashlib.sha256(contents).hexdigest()}
    with tempfile.TemporaryDirectory(prefix="anamorph-export-") as name:
        folder = Path(name)
        drafts = {
            role: replace(parts[role].draft, gate=result, **shared)
            for role, (_, result) in gated.items()
        }
        for role, (data, _) in gated.items():
            (folder / targets[role].name).write_bytes(embed_card(data, drafts[role]))
        report(check_files(folder / targets["encoder"].name, rounded, held[:4], folder))
        finding, metrics = check_quality(folder / targets["encoder"].name, held)
        report(finding)
        files = {}
        for role, (data, _) in gated.items():
            card = replace(drafts[role], metrics=metrics)
            files[role], drafts[role] = check_final(embed_card(data, card), folder, report)
    _write_both(targets, files, force=force)
    return drafts["encoder"]


def _write_both(targets: dict[str, Path], files: dict[str, bytes], *, force: bool) -> None:
    """Write all files under temporary names before any takes its own.

    Raises:
        OutputError: A target is refused, or the disk is.
    """
    make_folder(targets["encoder"])
    with ExitStack() as stack:
        for role in _ROLES:
            descriptor = stack.enter_context(replacing(targets[role], force=force))
            with open(descriptor, "wb", closefd=False) as file:
                file.write(files[role])


def code_files(target: Path) -> dict[str, Path]:
    """Return the files of an encoder and a decoder, by role, for what ``--output`` names."""
    return {role: target.with_name(f"{target.stem}.{role}.onnx") for role in _ROLES}


def gate_part(part: Part, report: Report) -> tuple[bytes, Gate]:
    """Put a graph through the checks that need no quality; return its file without a card.

    Raises:
        GateError: A check failed.
    """
    role = "" if part.draft.role == "model" else f"{part.draft.role} "

    def tell(finding: Finding) -> None:
        report(Finding(f"{role}{finding.check}", finding.found, finding.allowed))

    several = len(part.ranges) > 1
    trained, rounded = (
        Joined(one, part.ranges) if several else _First(one) for one in (part.graph, part.rounded)
    )
    tell(gate.check_network(part.graph))
    example = torch.from_numpy(part.batches[1])
    tell(gate.check_determinism(trained, example))
    tell(gate.check_rounding(trained, rounded, example))
    data = part_onnx(part)
    tell(gate.check_graph(data))
    run = gate.open_run(data, part.ranges)
    span = _UNIT if several else part.ranges[0]
    finding, result = gate.check_parity(rounded, run, part.batches, output_range=span)
    tell(finding)
    return data, result


class _First(nn.Module):
    """A graph of one output, whether or not it comes in a tuple."""

    def __init__(self, graph: nn.Module) -> None:
        super().__init__()
        self.graph = graph
        self.training = graph.training

    def forward(self, given: Tensor) -> Tensor:
        made = self.graph(given)
        first: Tensor = made[0] if isinstance(made, tuple) else made
        return first


def part_onnx(part: Part) -> bytes:
    """Return a graph as the bytes of an ONNX file without a card."""
    (name,) = (port.name for port in part.draft.inputs)
    axes = {0: "batch"} | ({2: "height", 3: "width"} if name == "picture" else {})
    example = torch.from_numpy(part.batches[1])
    outputs = [port.name for port in part.draft.outputs]
    model = to_onnx(part.rounded, {name: example}, outputs, axes={name: axes})
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def check_files(
    file: Path, network: nn.Module, pictures: Sequence[Pixels], folder: Path
) -> Finding:
    """Refuse files that the runtime makes other pictures with than PyTorch does.

    Args:
        file: Of the encoder, beside the decoder's.
        network: With the weights that are stored.
        pictures: uint8 (rows, columns, 3), RGB.
        folder: For the pictures' files.
    """
    import anamorph

    model = anamorph.load(file, device="cpu", threads=torch.get_num_threads())
    encoder = EncoderGraph(network)
    worst = 0
    for number, picture in enumerate(pictures):
        source = folder / f"{number}.png"
        Picture(picture).save(source, force=True)
        made = model.reconstruct(source).pixels.astype(np.int16)
        with torch.no_grad():
            (code,) = encoder(torch.from_numpy(to_planes(picture)))
            expected = DecoderGraph(network)(code)[0].numpy().transpose(1, 2, 0)
        worst = max(worst, int(np.abs(made - np.rint(expected * 255)).max()))
    if worst > 1:
        raise GateError(
            f"files: a picture differs by {worst} of 255 from PyTorch's, 1 is allowed; report a bug"
        )
    return Finding("files", f"{len(pictures)} pictures, {worst} of 255 apart", "1 of 255")


def check_quality(file: Path, held: Sequence[Pixels]) -> tuple[Finding, tuple[Metric, ...]]:
    """Refuse an autoencoder that is hardly nearer to pictures than the mean of them is.

    Args:
        file: Of the encoder, beside the decoder's.
        held: uint8 (rows, columns, 3), pictures that were not trained on.
    """
    import anamorph

    model = anamorph.load(file, device="cpu", threads=torch.get_num_threads())
    truth = np.stack([one / 255 for one in held])
    made = np.stack([model.reconstruct(one).pixels / 255 for one in held])
    psnr, mean_psnr = (
        float(-10 * np.log10(max(np.mean((one - truth) ** 2), 1e-10)))
        for one in (made, truth.mean(0, keepdims=True))
    )
    if not psnr >= mean_psnr + LEAST_GAIN_DB:
        raise GateError(
            f"quality: {len(held)} held-out pictures come back with {psnr:.2f} dB, their mean "
            f"gives {mean_psnr:.2f}, {mean_psnr + LEAST_GAIN_DB:.2f} are required; train longer"
        )
    finding = Finding(
        "quality",
        f"{psnr:.2f} dB, the mean picture {mean_psnr:.2f} dB",
        f"at least {mean_psnr + LEAST_GAIN_DB:.2f} dB",
    )
    metric = Metric(
        name="psnr", on=HOLDOUT, value=round(psnr, 2), unit="dB", baseline=round(mean_psnr, 2)
    )
    return finding, (metric,)


def unseen_pictures() -> list[Floats]:
    """Return natural and random pictures in turn, of the sizes and batches that the gate tries."""
    return [
        (natural_pictures if number % 2 else random_pictures)(*size, seed=_GATE_SEED + number)
        for number, size in enumerate(_SIZES)
    ]


def base_card(
    network: nn.Module, identity: Identity, provenance: Provenance | None, **fields: Any
) -> Card:
    """Return what the cards of all graphs of a network with a code share."""
    source: Any = network
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    return Card(
        name=identity.name,
        model_version=identity.model_version,
        licence=identity.licence,
        attribution=identity.attribution,
        description=identity.description,
        height=source.size.height,
        width=source.size.width,
        latent_width=int(source.latent),
        provenance=replace(provenance, date=provenance.date or today) if provenance else None,
        minimum_onnxruntime=MINIMUM_ONNXRUNTIME,
        **fields,
    )


def describe_latents(known: KnownCodes) -> tuple[Latent, ...]:
    """Say what each number of a code does over the pictures that were learnt from."""
    divergence = np.zeros(known.mean.shape[1])
    if known.log_variance is not None:
        posterior = (torch.from_numpy(one) for one in (known.mean, known.log_variance))
        divergence = kl_per_latent(*posterior).mean(0).clamp(min=0).numpy()
    return tuple(
        Latent(mean=round(float(m), 4), deviation=round(float(s), 4), divergence=round(float(d), 4))
        for m, s, d in zip(known.mean.mean(0), known.mean.std(0), divergence, strict=True)
    )


def _parts(
    network: nn.Module,
    rounded: nn.Module,
    identity: Identity,
    provenance: Provenance | None,
    held: Sequence[Pixels],
    known: KnownCodes,
    labels: Sequence[str],
) -> dict[str, Part]:
    """Describe both graphs before they are gated."""
    with_posterior = known.log_variance is not None
    graph = ClassifierGraph if labels else PosteriorGraph if with_posterior else EncoderGraph
    spread = float(np.ptp(known.mean))
    outputs = [code_port("code", "code")]
    outputs += [code_port("deviation", "deviation")] if with_posterior else []
    outputs += [chances_port("chances")] if labels else []
    ranges = (spread, *([_UNIT] * (len(outputs) - 1)))
    card = base_card(
        network,
        identity,
        provenance,
        task="reconstruct",
        prior="normal" if with_posterior else "",
        latents=describe_latents(known),
        labels=tuple(labels),
        inputs=(picture_port("picture"),),
        outputs=tuple(outputs),
        role="encoder",
    )
    generator = np.random.default_rng(_GATE_SEED)
    middle, deviation = known.mean.mean(0), known.mean.std(0)
    codes = [
        (middle + deviation * generator.standard_normal((n, len(middle)))).astype(np.float32)
        for n in (1, 3, 5, 64)
    ]
    code, picture = code_port("code", "code"), picture_port("picture")
    decoder = replace(card, role="decoder", inputs=(code,), outputs=(picture,), labels=())
    real = [to_planes(one) for one in held[:2]]
    return {
        "encoder": Part(graph(network), graph(rounded), card, [*unseen_pictures(), *real], ranges),
        "decoder": Part(DecoderGraph(network), DecoderGraph(rounded), decoder, codes, (_UNIT,)),
    }
