"""Enlarge photographs on CPUs: RepSR, trained with Muon to the least absolute error.

Differs from SRResNet's recipe in the network, the optimiser, larger crops late, a choice of
degradation, and a start from the weights of another run.
"""

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Final, Literal

from cyclopts import Parameter
from torch import Tensor
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer

from anamorph import cli
from anamorph_training.data.holdout import save_holdout
from anamorph_training.data.patches import Prefetch, draw_batch
from anamorph_training.data.photographs import (
    Photographs,
    find_photographs,
    prepare_photographs,
)
from anamorph_training.degradation import Degrade
from anamorph_training.loop.average import start_average, update_average
from anamorph_training.loop.checkpoints import Part
from anamorph_training.loop.device import count_gpus, start_fabric
from anamorph_training.loop.effort import Effort
from anamorph_training.loop.interruption import Interruption
from anamorph_training.loop.journal import Journal, Progress
from anamorph_training.loop.keeping import Keeper, resume
from anamorph_training.loop.meter import Meter
from anamorph_training.loop.optimizers import Method, make_optimizers, number, scale_rates
from anamorph_training.loop.run_folder import open_run
from anamorph_training.loop.schedule import warm_cosine
from anamorph_training.loop.warm_start import describe_start, take_over
from anamorph_training.losses import l1
from anamorph_training.networks.repsr import Block, RepSR
from anamorph_training.options import Extent, Positive, Rate, RunOptions, Share, Zooms
from anamorph_training.practical import MARGIN, degrade
from anamorph_training.validation import Watch

RECIPE: Final = "repsr"


@dataclass(frozen=True, kw_only=True)
class Config(RunOptions):
    """What decides a run; the defaults are the zoo's photo-x4."""

    data: Path
    """Folder of photographs to learn from, searched with its sub-folders."""
    valid: Path | None = None
    """Folder of held-out photographs; without it every 20th of --data is held out."""
    cache: Path | None = None
    """Folder for decoded pictures, 3 bytes a pixel; without it, one in the user's cache."""
    start: Path | None = None
    """Run whose weights to begin with, wherever they fit; its scale may differ."""
    data_name: str = "own pictures"
    """Name of the data set, for the model's card."""
    licence: str = "unknown"
    """Licence of the data set, for the model's card."""

    scale: Literal[2, 3, 4] = 4
    """Output pixels per input pixel along each axis."""
    degradation: Literal["bicubic", "practical"] = "bicubic"
    """How pictures are made small: as the test sets, or blurred, noisy and compressed as well."""
    channels: Positive = 64
    """Width of the network, in features; multiples of 16 run fastest."""
    blocks: Extent = 9
    """Number of blocks."""
    block: Block = "residual"
    """Two convolutions in a block (residual), one (plain), or three (attention)."""
    branches: bool = True
    """Train each convolution as several branches, which are folded at every step."""

    steps: Positive = 15_000
    """Length of the run, in optimiser steps."""
    zooms: Zooms = (0.75, 0.5)
    """Learn also from pictures shrunk to these shares of their sides: sharper, and more of them."""
    batch: Positive = 16
    """Crops per step."""
    patch: Positive = 24
    """Side of a low-resolution crop, in pixels."""
    late_patch: Positive = 48
    """Side of the crops of the last steps, in pixels."""
    late_share: Share = 0.15
    """Share of the steps that take the late crops."""
    optimizer: Method = "muon"
    """Muon for kernels and Adam for biases, or Adam for all."""
    learning_rate: Rate = 1e-3
    """Greatest learning rate of the kernels, per step."""
    bias_learning_rate: Rate = 1e-3
    """Greatest learning rate of what Muon does not take, per step."""
    final_share: Share = 1e-3
    """Learning rate of the last step, reached along a cosine, as a share of the greatest."""
    warm_up: Extent = 100
    """Steps over which the learning rate rises from 0."""
    beta2: Share = 0.99
    """Decay of Adam's second moment, per step."""
    clip: Rate = 1.0
    """Greatest norm of the gradient; longer ones are shortened to it."""
    average_decay: Share = 0.999
    """Share of the averaged weights that stays, per step."""
    seed: Extent = 1
    """Seed of the weights and of the choice of crops."""

    check_every: Positive = 500
    """Steps between checkpoints; each also measures the held-out pictures."""
    sample_every: Positive = 2500
    """Steps between sample sheets."""


def build(config: Config) -> RepSR:
    """Make the network, with fresh weights from PyTorch's generator."""
    return RepSR(
        scale=config.scale,
        channels=config.channels,
        blocks=config.blocks,
        block=config.block,
        branches=config.branches,
    )


def _degrade(config: Config) -> Degrade | None:
    return degrade if config.degradation == "practical" else None


def _draw(step: int, *, config: Config, pictures: Photographs) -> tuple[Tensor, Tensor]:
    """Draw the batch of a step, counted from 0: the last ones of larger crops."""
    late = step >= config.steps * (1 - config.late_share)
    return draw_batch(
        step,
        pairs=pictures.training,
        scale=config.scale,
        batch=config.batch,
        patch=config.late_patch if late else config.patch,
        seed=config.seed,
        degrade=_degrade(config),
        margin=MARGIN,
    )


def _optimizers(config: Config, network: RepSR) -> list[Optimizer]:
    return make_optimizers(
        network,
        method=config.optimizer,
        rate=config.learning_rate,
        other_rate=config.bias_learning_rate,
        beta2=config.beta2,
    )


def _learning_share(config: Config, step: int) -> float:
    return warm_cosine(
        step, steps=config.steps, warm_up=config.warm_up, peak=1.0, floor=config.final_share
    )


def train(config: Config, out: Path) -> None:
    """Train, or continue the run in ``out`` where it left off.

    Raises:
        InputError: The data or ``start`` cannot be used, or ``out`` holds another run, or one on
            other data.
        OutputError: ``out`` cannot be written.
        UnavailableError: The device is not there.
        KeyboardInterrupt: Ctrl-C came; the run stopped with a checkpoint.
        SystemExit: SIGTERM came, likewise; the code is 143.
    """
    found = find_photographs(config)
    fabric = start_fabric(
        device=config.device, precision=config.precision, threads=config.threads, seed=config.seed
    )
    ancestor = describe_start(config.start, out)
    open_run(out, RECIPE, config)
    progress = Progress(config.steps)
    network = build(config)
    made = _optimizers(config, network)
    model, *optimizers = fabric.setup(network, *made)
    average = start_average(network)
    parts: dict[str, Part] = {"network": network, "average": average, **number(made)}

    resumed = resume(out, parts, steps=config.steps, report=progress.say)
    start = resumed.step
    if start:
        ancestor = (resumed.record or {}).get("start")
    elif config.start:
        take_over(config.start, network, average, report=progress.say)
    effort = Effort(resumed.spent, gpus=count_gpus(fabric))
    pictures = prepare_photographs(
        config,
        found,
        patch=max(config.patch, config.late_patch if config.late_share else 0),
        report=progress.say,
        degrade=_degrade(config),
        zooms=config.zooms,
    )
    keeper = Keeper(out, RECIPE, config, [pictures.dataset], ancestor)
    keeper.check(resumed)
    if not start:
        save_holdout(out, pictures.held)
    draw = partial(_draw, config=config, pictures=pictures)
    watch = Watch(average, pictures.held, config.scale, pictures.bicubic_psnr, fabric.device)

    with (
        Interruption() as interruption,
        Journal(out, step=start, tensorboard=config.tensorboard) as journal,
        Prefetch(draw, start=start, stop=config.steps) as batches,
    ):
        meter = Meter(batches)
        for step, (low, high) in enumerate(batches, start=start + 1):
            share = _learning_share(config, step - 1)
            scale_rates(made, share)
            for optimizer in optimizers:
                optimizer.zero_grad()
            loss = l1(model(fabric.to_device(low)), fabric.to_device(high))
            fabric.backward(loss)
            norm = clip_grad_norm_(network.parameters(), config.clip)
            for optimizer in optimizers:
                optimizer.step()
            update_average(average, network, decay=config.average_decay, step=step - 1)

            meter.add(loss=loss, gradient_norm=norm)
            last = step == config.steps
            if step % config.log_every == 0 or last:
                figures = meter.take() | {"learning_rate": share * config.learning_rate}
                journal.write(step, **figures, cpu_hours=effort.spent.cpu_hours)
                progress.show(step, loss=figures["loss"])
            if step % config.check_every == 0 or last:
                watch.measure(step, journal, progress)
            if step % config.sample_every == 0 or last:
                watch.sample(step, out)
            if step % config.check_every == 0 or last or interruption.asked:
                keeper.save(step, parts, effort.spent)
            if interruption.asked and not last:
                progress.say(f"{out}: stopped after step {step}; the same command continues")
                interruption.leave()


def main(
    config: Annotated[Config, Parameter(name="*")],
    *,
    out: Annotated[Path, Parameter(help="Folder of the run; an unfinished run continues.")],
) -> None:
    """Train a network that enlarges photographs quickly on CPUs (RepSR).

    It learns from any folder of sharp photographs, which are made small bicubically or, for real
    photographs, with blur, noise and compression (--degradation practical). A run stopped by
    Ctrl-C or a kill continues where the same command is repeated.

    Example:
        anamorph train repsr --data my-pictures/ --out runs/mine
        anamorph train repsr --data my-pictures/ --out runs/double --scale 2 --start runs/mine
        anamorph train repsr --data my-pictures/ --out runs/real --degradation practical
        anamorph export runs/mine -o mine.onnx
    """
    train(config, out)


if __name__ == "__main__":
    sys.exit(cli.main(["train", RECIPE, *sys.argv[1:]]))
