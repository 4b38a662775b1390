"""Lead detectors and finders of outliers through the gate into a file, or leave no file."""

import copy
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from msgspec.structs import replace
from numpy.typing import NDArray
from torch import nn

from anamorph.card import Calibration, Card, Metric, Provenance
from anamorph.errors import InputError
from anamorph.model_file import embed_card
from anamorph.picture_planes import to_planes
from anamorph_export.code_graphs import DetectorGraph, OutlierGraph, heat_port, score_port
from anamorph_export.coding import Part, Pixels, base_card, gate_part, unseen_pictures
from anamorph_export.deploying import Identity, Report, check_final, write_model
from anamorph_export.gate import Finding, GateError
from anamorph_export.graphs import picture_port
from anamorph_export.pictures import natural_pictures
from anamorph_export.simplifying import round_to_half
from anamorph_training.evaluation.anomalies import auroc
from anamorph_training.finished_run import KnownCodes

# Chance is 0.5; blots and foreign pictures are gross, and what learnt anything finds most.
LEAST_AUROC: Final = 0.75
_QUANTILES: Final = (0.0, 0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0)
_LEAST_USUAL: Final = 0.1  # of the mean error: places without any error would be hot by nothing
_BLOT_SEED: Final = 30_000
_FOREIGN: Final = 32  # pictures that a finder of outliers must find strange

Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """What a detector or a finder of outliers is, beside its network.

    Attributes:
        false_positives: Share of normal pictures above the threshold of a score.
        false_pixels: Share of the pixels of normal pictures above the threshold of the heat.
        median: Side of the median's window over the error, odd, in pixels of the network.
        hottest: Share of the pixels whose mean heat is a detector's score.
        neighbours: Nearest codes whose distance is looked at.
        bins: Of each latent's histogram.
        alpha: Added to the share of a bin.
    """

    false_positives: float = 0.05
    false_pixels: float = 0.01
    median: int = 5
    hottest: float = 0.01
    neighbours: int = 3
    bins: int = 10
    alpha: float = 0.001


def deploy_detector(
    network: nn.Module,
    target: Path,
    *,
    identity: Identity,
    provenance: Provenance | None = None,
    held: Sequence[Pixels],
    learnt: Sequence[Pixels],
    tuning: Tuning,
    force: bool = False,
    report: Report = lambda finding: None,
) -> Card:
    """Export what an autoencoder was trained to undo as a detector, gate it and write it.

    What is usual at each place is taken from pictures that were learnt from, the thresholds from
    those that were not.

    Args:
        network: Has ``encode`` and ``decoder``, in evaluation mode.
        target: File to write.
        identity: Name, version and licence.
        provenance: How the weights came to be.
        held: uint8 (rows, columns, 3) each, normal pictures that were not trained on.
        learnt: Likewise, some that were.
        tuning: What else decides it.
        force: Replace an existing file.
        report: Told of each check that is passed.

    Returns:
        The card as written.

    Raises:
        GateError: A check failed; nothing was written.
        InputError: There are too few held-out pictures.
    """
    _check_enough(held)
    rounded = _rounded(network)
    mean = _mean_error(_blank(rounded, tuning), learnt)
    places = mean.clamp(min=_LEAST_USUAL * float(mean.mean()))
    graphs = [
        DetectorGraph(one, places, median=tuning.median, hottest=tuning.hottest)
        for one in (network, rounded)
    ]
    answers = [_ask(graphs[1], one) for one in held]
    heats = np.concatenate([heat.ravel() for heat, _ in answers])
    calibrations = {
        "heat": calibrate(heats, tuning.false_pixels),
        "score": calibrate(np.array([score[0] for _, score in answers]), tuning.false_positives),
    }
    ports = (heat_port("heat"), score_port("score", "mean heat of the hottest pixels"))
    card = base_card(
        network,
        identity,
        provenance,
        task="detect",
        inputs=(picture_port("picture"),),
        outputs=ports,
        calibrations=calibrations,
    )
    ranges = tuple(max(one.quantiles["1"], 1e-6) for one in calibrations.values())
    return _gate_and_write(
        Part(graphs[0], graphs[1], card, [*unseen_pictures(), *map(to_planes, held[:2])], ranges),
        target,
        check_quality=lambda file: check_blots(file, held),
        force=force,
        report=report,
    )


def deploy_outlier_finder(
    network: nn.Module,
    target: Path,
    *,
    identity: Identity,
    provenance: Provenance | None = None,
    held: Sequence[Pixels],
    known: KnownCodes,
    noise: float,
    tuning: Tuning,
    force: bool = False,
    report: Report = lambda finding: None,
) -> Card:
    """Export a VAE as a finder of outliers, with codes of what it learnt from, and write it.

    Args:
        network: A VAE, in evaluation mode.
        target: File to write.
        identity: Name, version and licence.
        provenance: How the weights came to be.
        held: uint8 (rows, columns, 3) each, normal pictures that were not trained on.
        known: Codes of pictures that were: the bank of neighbours.
        noise: Standard deviation of the Gaussian likelihood; 0 for Bernoulli's.
        tuning: What else decides it.
        force: Replace an existing file.
        report: Told of each check that is passed.

    Returns:
        The card as written.

    Raises:
        GateError: A check failed; nothing was written.
        InputError: There are too few held-out pictures, or the network is no VAE.
    """
    _check_enough(held)
    if known.log_variance is None:
        raise InputError("--task outliers: takes a VAE, whose codes have a density; train vae")
    bank = torch.from_numpy(known.mean)
    deviations = torch.from_numpy(np.sqrt(np.exp(known.log_variance).mean(0)))
    rounded = _rounded(network)
    graphs = [
        OutlierGraph(
            one,
            bank,
            deviations,
            neighbours=tuning.neighbours,
            bins=tuning.bins,
            alpha=tuning.alpha,
            noise=noise,
        )
        for one in (network, rounded)
    ]
    names = ("neighbours", "density", "mahalanobis", "elbo")
    units = ("mean distance in posterior deviations", "nats", "standard deviations", "nats")
    answers = [_ask(graphs[1], one) for one in held]
    calibrations = {
        name: calibrate(np.array([one[i][0] for one in answers]), tuning.false_positives)
        for i, name in enumerate(names)
    }
    card = base_card(
        network,
        identity,
        provenance,
        task="outliers",
        inputs=(picture_port("picture"),),
        outputs=tuple(score_port(name, unit) for name, unit in zip(names, units, strict=True)),
        calibrations=calibrations,
    )
    ranges = tuple(max(abs(one.quantiles["1"]), 1e-6) for one in calibrations.values())
    return _gate_and_write(
        Part(graphs[0], graphs[1], card, [*unseen_pictures(), *map(to_planes, held[:2])], ranges),
        target,
        check_quality=lambda file: check_foreign(file, held),
        force=force,
        report=report,
    )


def calibrate(normal: NDArray[Any], false_positives: float) -> Calibration:
    """Return where the line is drawn for a share of false positives, and how normal values lie.

    Args:
        normal: Values of normal data, float (n,).
        false_positives: Share of them above the threshold.
    """
    threshold = float(f"{np.quantile(normal, 1 - false_positives):.6g}")
    return Calibration(
        threshold=threshold,
        false_positive_rate=round(float((normal > threshold).mean()), 6),
        quantiles={f"{q:g}": float(f"{np.quantile(normal, q):.6g}") for q in _QUANTILES},
    )


def check_blots(file: Path, normal: Sequence[Pixels]) -> tuple[Finding, tuple[Metric, ...]]:
    """Refuse a detector that does not see blots: squares of the picture, made darker or lighter.

    Args:
        file: Of the detector.
        normal: uint8 (rows, columns, 3), normal pictures that were not trained on.
    """
    import anamorph

    detector = anamorph.load(file, device="cpu", threads=torch.get_num_threads())
    generator = np.random.default_rng(_BLOT_SEED)
    heats, masks = [], []
    for picture in normal[:_FOREIGN]:
        blotted, mask = _blot(picture, generator)
        heats.append(detector.detect(blotted).heat.ravel())
        masks.append(mask.ravel())
    found = auroc(np.concatenate(heats), np.concatenate(masks))
    return _judge(found, "pixels of blots on held-out pictures")


def check_foreign(file: Path, normal: Sequence[Pixels]) -> tuple[Finding, tuple[Metric, ...]]:
    """Refuse a finder of outliers to which pictures of another kind are not strange.

    Args:
        file: Of the finder.
        normal: uint8 (rows, columns, 3), normal pictures that were not trained on.
    """
    import anamorph

    finder = anamorph.load(file, device="cpu", threads=torch.get_num_threads())
    foreign = natural_pictures(_FOREIGN, *normal[0].shape[:2], seed=_BLOT_SEED)
    pictures = [*normal, *foreign.transpose(0, 2, 3, 1)]
    scores = np.array([finder.measure(one, by=finder.scores).strangeness for one in pictures])
    wrong = np.arange(len(pictures)) >= len(normal)
    return _judge(auroc(scores, wrong), "foreign pictures among held-out ones")


def _judge(found: float, on: str) -> tuple[Finding, tuple[Metric, ...]]:
    if not found >= LEAST_AUROC:
        raise GateError(
            f"quality: AUROC {found:.3f} for {on}, {LEAST_AUROC} is required; train longer, or "
            "with a wider latent space"
        )
    finding = Finding("quality", f"AUROC {found:.3f} for {on}", f"at least {LEAST_AUROC}")
    return finding, (Metric(name="auroc", on=on, value=round(found, 4), baseline=0.5),)


def _gate_and_write(
    part: Part,
    target: Path,
    *,
    check_quality: Callable[[Path], tuple[Finding, tuple[Metric, ...]]],
    force: bool,
    report: Report,
) -> Card:
    data, result = gate_part(part, report)
    draft = replace(part.draft, gate=result)
    with tempfile.TemporaryDirectory(prefix="anamorph-export-") as name:
        file = Path(name) / "candidate.onnx"
        file.write_bytes(embed_card(data, draft))
        finding, metrics = check_quality(file)
        report(finding)
        whole = embed_card(data, replace(draft, metrics=metrics))
        final, card = check_final(whole, Path(name), report)
    write_model(target, final, force=force)
    return card


def _blot(picture: Pixels, generator: np.random.Generator) -> tuple[Pixels, NDArray[np.bool_]]:
    """Return a picture with a square made darker or lighter by half of its contrast, and where."""
    height, width = picture.shape[:2]
    side = max(3, min(height, width) // 4)
    top, left = generator.integers(height - side), generator.integers(width - side)
    mask = np.zeros((height, width), bool)
    mask[top : top + side, left : left + side] = True
    change = 2 * float(picture.std()) * generator.choice([-1, 1])
    blotted = picture.astype(np.float32)
    blotted[mask] += change
    return np.clip(np.rint(blotted), 0, 255).astype(np.uint8), mask


@torch.no_grad()
def _mean_error(graph: DetectorGraph, pictures: Sequence[Pixels]) -> torch.Tensor:
    return torch.cat([graph.error(_planes(one)) for one in pictures]).mean(0)


def _blank(network: nn.Module, tuning: Tuning) -> DetectorGraph:
    """Return a detector that has not yet been told what is usual."""
    size: Any = network.size
    usual = torch.ones(size.height, size.width)
    return DetectorGraph(network, usual, median=tuning.median, hottest=tuning.hottest)


def _rounded(network: nn.Module) -> nn.Module:
    rounded = copy.deepcopy(network)
    round_to_half(rounded)
    return rounded


def _check_enough(held: Sequence[Pixels]) -> None:
    if len(held) < 2:
        raise InputError(
            f"{len(held)} held-out pictures are too few to calibrate with; train on more pictures"
        )


@torch.no_grad()
def _ask(graph: nn.Module, picture: Pixels) -> tuple[Floats, ...]:
    return tuple(one.numpy() for one in graph(_planes(picture)))


def _planes(picture: Pixels) -> torch.Tensor:
    return torch.from_numpy(to_planes(picture))
