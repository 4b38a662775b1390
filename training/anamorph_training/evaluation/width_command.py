"""`anamorph evaluate widths`: how near pictures come back, by the width of the latent space."""

import io
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
import torch
from cyclopts import Parameter

from anamorph.new_file import check_target, write_whole
from anamorph_training.bench.drawing import load_figure
from anamorph_training.evaluation.table import aligned
from anamorph_training.options import Positive
from anamorph_training.sheets import check_sheet

Recipe = Literal["autoencoder", "vae"]
_WIDTHS: Final = (2, 4, 8, 16, 32)


@dataclass(frozen=True)
class Point:
    """How near held-out pictures come back at one width.

    Attributes:
        latent: Numbers in a code.
        psnr: Of all held-out pixels together, in dB.
        components: The same of as many principal components.
    """

    latent: int
    psnr: float
    components: float


def widths(
    *,
    data: Path,
    out: Path,
    recipe: Recipe = "autoencoder",
    latent: Annotated[tuple[Positive, ...], Parameter(negative=())] = _WIDTHS,
    steps: Positive = 1500,
    height: Positive = 32,
    width: Positive = 32,
    by_folder: bool = False,
    chart: Path | None = None,
    force: Annotated[bool, Parameter(negative=())] = False,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Train one network per latent width, and draw how near pictures come back beside PCA.

    Runs that are there already are taken as they are, so that a sweep that was stopped goes on.

    Args:
        data: Folder of pictures, IDX file or MedMNIST .npz.
        out: Folder of the runs, one per width.
        recipe: autoencoder or vae.
        latent: Widths to try; repeat for several.
        steps: Length of each run.
        height: Of the pictures, in pixels.
        width: Of the pictures, in pixels.
        by_folder: Hold out whole sub-folders.
        chart: Also draw the curve to this PNG.
        force: Replace a chart that exists.
        json: Print one JSON object per width instead of a table.
    """
    if chart is not None:
        load_figure()
        check_sheet(chart)
        check_target(chart, force=force)
    module = import_module(f"anamorph_training.recipes.{recipe}")
    points = []
    for one in sorted(set(latent)):
        config = module.Config(
            data=data,
            by_folder=by_folder,
            height=height,
            width=width,
            latent=one,
            likelihood="gaussian",
            linear=True,
            hidden=0,
            steps=steps,
            check_every=steps,
            sample_every=steps,
            tensorboard=False,
        )
        run = out / f"{recipe}-{one}"
        module.train(config, run)
        points.append(_measure(run, config))
        if json:
            sys.stdout.write(msgspec.json.encode(asdict(points[-1])).decode() + "\n")
    if not json:
        rows = [["latents", f"{recipe}, dB", "PCA, dB"]]
        rows += [[str(p.latent), f"{p.psnr:.2f}", f"{p.components:.2f}"] for p in points]
        sys.stdout.write(aligned(rows))
    if chart is not None:
        draw(chart, points, recipe, force=force)


@torch.inference_mode()
def _measure(run: Path, config: Any) -> Point:
    from anamorph_training.code_watch import reconstruct
    from anamorph_training.data.batches import to_float
    from anamorph_training.data.images import split_images
    from anamorph_training.evaluation.code_command import principal
    from anamorph_training.finished_run import read_run

    training, held, _ = split_images(config)
    network = read_run(run).network
    truth = to_float(held.pixels)
    made = reconstruct(network, truth)
    components = to_float(principal(training.pixels, held.pixels, config.latent))
    psnr = [
        float(-10 * torch.log10((one - truth).square().mean().clamp(min=1e-10)))
        for one in (made, components)
    ]
    return Point(config.latent, *psnr)


def draw(path: Path, points: Sequence[Point], recipe: str, *, force: bool) -> None:
    """Draw quality against width to a PNG.

    Raises:
        UnavailableError: matplotlib is not installed.
        OutputError: The file cannot be written.
    """
    figure = load_figure()(figsize=(6.4, 4.2), dpi=100, layout="constrained")
    axes = figure.subplots()
    places = [point.latent for point in points]
    axes.plot(places, [point.psnr for point in points], "o-", label=recipe)
    axes.plot(places, [point.components for point in points], "o--", label="PCA")
    axes.set_xscale("log", base=2)
    axes.set_xticks(places, [str(place) for place in places])
    axes.set_xlabel("latents")
    axes.set_ylabel("PSNR of held-out pictures, dB")
    axes.grid(color="#e3e5e8")
    axes.legend(frameon=False)
    content = io.BytesIO()
    figure.savefig(content, format="png", metadata={"Software": None})
    write_whole(path, content.getvalue(), force=force)
