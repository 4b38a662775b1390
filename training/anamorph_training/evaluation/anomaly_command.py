"""`anamorph evaluate anomalies`: how well detectors tell what is not normal."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import numpy as np
from cyclopts import Parameter
from numpy.typing import NDArray

from anamorph.errors import InputError
from anamorph_training.evaluation.anomalies import (
    PixelFigures,
    auroc,
    average_precision,
    measure_pixels,
)
from anamorph_training.evaluation.defects import Example, read_defects, read_normal
from anamorph_training.evaluation.table import aligned
from anamorph_training.options import Extent

Detect = Callable[[NDArray[np.uint8]], tuple[NDArray[np.float32], float]]
"""Turns uint8 (height, width, 3) into heat (height, width) and a score."""

_MASK_SIDE = 128  # pixels that heat and masks are brought to; what is thinner than one may go


@dataclass(frozen=True)
class Judged:
    """Figures of one detector.

    Attributes:
        method: Its name.
        auroc: Of pictures.
        ap: Of pictures.
        kinds: AUROC of each kind of defect beside all that is normal.
        pixels: Of pixels, where masks are drawn.
        found: Share of the anomalous pictures above the card's threshold; None without one.
        false: Share of the normal ones above it.
    """

    method: str
    auroc: float
    ap: float
    kinds: dict[str, float]
    pixels: PixelFigures | None
    found: float | None = None
    false: float | None = None


def anomalies(
    *models: str,
    data: Path,
    part: Literal["valid", "test"] = "test",
    components: Extent = 32,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Measure how well detectors tell anomalous pictures, and pixels, from normal ones.

    Beside them stands a principal component analysis of the normal pictures that recipes learn
    from, whose error is its heat and whose hottest hundredth is its score.

    Args:
        models: Zoo names or files of detectors.
        data: Folder with sub-folders good and one per kind of defect, masks as NAME_mask.png; or
            MedMNIST's .npz, whose class 0 is normal.
        part: Of the .npz.
        components: Of the principal component analysis; 0 leaves it out.
        json: Print one JSON object per method instead of a table.
    """
    from anamorph.loading import load_detector

    if not models:
        raise InputError("no model given; name a zoo model or a file")
    loaded = {name: load_detector(name, device="cpu") for name in models}
    examples = read_defects(data, part)
    judged = []
    first = next(iter(loaded.values())).card
    if components:
        pca = _principal(read_normal(data), (first.height, first.width), components)
        judged.append(judge(f"PCA {components}", pca, examples))
    for name, model in loaded.items():

        def detect(
            pixels: NDArray[np.uint8], model: object = model
        ) -> tuple[NDArray[np.float32], float]:
            found = model.detect(pixels)  # type: ignore[attr-defined]
            return found.heat, found.score

        judged.append(judge(Path(name).stem, detect, examples, threshold=model.threshold))
    if json:
        for one in judged:
            sys.stdout.write(msgspec.json.encode(asdict(one)).decode() + "\n")
    else:
        sys.stdout.write(_table(judged))


def judge(
    method: str, detect: Detect, examples: Sequence[Example], *, threshold: float | None = None
) -> Judged:
    """Run a detector on a test set, and take all figures.

    Args:
        method: Its name.
        detect: Turns a picture into heat and a score.
        examples: Normal and anomalous pictures.
        threshold: Of the score.

    Raises:
        InputError: The set is all normal, or all anomalous.
    """
    answers = [detect(one.pixels) for one in examples]
    scores = np.array([score for _, score in answers])
    wrong = np.array([one.wrong for one in examples])
    kinds = {}
    for kind in sorted({one.kind for one in examples if one.wrong}):
        chosen = ~wrong | np.array([one.kind == kind for one in examples])
        kinds[kind] = auroc(scores[chosen], wrong[chosen])
    above = scores > threshold if threshold is not None else None
    return Judged(
        method=method,
        auroc=auroc(scores, wrong),
        ap=average_precision(scores, wrong),
        kinds=kinds,
        pixels=_pixels([heat for heat, _ in answers], examples),
        found=None if above is None else float(above[wrong].mean()),
        false=None if above is None else float(above[~wrong].mean()),
    )


def _pixels(
    heats: Sequence[NDArray[np.float32]], examples: Sequence[Example]
) -> PixelFigures | None:
    """Take the figures of pixels at one size, where every picture has a mask."""
    masks = [one.mask for one in examples if one.mask is not None]
    if len(masks) < len(examples):
        return None
    hot = np.stack([_fit(heat) for heat in heats])
    drawn = np.stack([_fit(mask.astype(np.float32)) for mask in masks]) > 0.5
    return measure_pixels(hot, drawn)


def _fit(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    import torch

    from anamorph_training.networks.resampling import resample

    given = torch.from_numpy(np.ascontiguousarray(plane))[None, None]
    fitted: NDArray[np.float32] = resample(given, _MASK_SIDE, _MASK_SIDE)[0, 0].numpy()
    return fitted


def _principal(
    normal: Sequence[NDArray[np.uint8]], size: tuple[int, int], components: int
) -> Detect:
    """Return a detector by principal components, at a size, with a median of 5 x 5."""
    import torch
    from scipy.ndimage import median_filter
    from sklearn.decomposition import PCA

    from anamorph_training.networks.resampling import resample, to_grey

    def shrink(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
        planes = torch.tensor(pixels).permute(2, 0, 1)[None].float() / 255
        flat: NDArray[np.float64] = resample(to_grey(planes), *size).double().flatten().numpy()
        return flat

    bank = np.stack([shrink(one) for one in normal])
    pca = PCA(min(components, len(bank))).fit(bank)

    def detect(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], float]:
        flat = shrink(pixels)[None]
        error = np.abs(pca.inverse_transform(pca.transform(flat)) - flat).reshape(size)
        heat = median_filter(error, 5).astype(np.float32)
        hottest = np.sort(heat, axis=None)[-max(1, heat.size // 100) :]
        large = resample(torch.from_numpy(heat)[None, None], *pixels.shape[:2])[0, 0].numpy()
        return large, float(hottest.mean())

    return detect


def _table(judged: Sequence[Judged]) -> str:
    rows = [["", *(one.method for one in judged)]]
    rows.append(["image AUROC", *(f"{one.auroc:.3f}" for one in judged)])
    rows.append(["image AP", *(f"{one.ap:.3f}" for one in judged)])
    for kind in judged[0].kinds:
        rows.append([f"AUROC, {kind}", *(f"{one.kinds[kind]:.3f}" for one in judged)])
    if judged[0].pixels:
        for field in ("auroc", "ap", "aupro", "dice"):
            title = {
                "auroc": "pixel AUROC",
                "ap": "pixel AP",
                "aupro": "AUPRO",
                "dice": "best Dice",
            }
            values = [f"{getattr(one.pixels, field):.3f}" for one in judged]
            rows.append([title[field], *values])
    rows.append(["found at the threshold", *(_share(one.found) for one in judged)])
    rows.append(["false at the threshold", *(_share(one.false) for one in judged)])
    return aligned(rows)


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"
