"""Enlarge photographs: SRResNet (Ledig et al., 2017), trained to the least absolute error."""

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Final, Literal

import torch
from cyclopts import Parameter

from anamorph import cli
from anamorph_training.data.holdout import save_holdout
from anamorph_training.data.patches import Prefetch, draw_batch
from anamorph_training.data.photographs import find_photographs, prepare_photographs
from anamorph_training.loop.average import start_average, update_average
from anamorph_training.loop.checkpoints import Part
from anamorph_training.loop.device import count_gpus, start_fabric
from anamorph_training.loop.effort import Effort
from anamorph_training.loop.interruption import Interruption
from anamorph_training.loop.journal import Journal, Progress
from anamorph_training.loop.keeping import Keeper, resume
from anamorph_training.loop.meter import Meter
from anamorph_training.loop.run_folder import open_run
from anamorph_training.loop.schedule import set_learning_rate, warm_cosine
from anamorph_training.losses import l1
from anamorph_training.networks.srresnet import SRResNet
from anamorph_training.options import Extent, Odd, Positive, Rate, RunOptions, Share
from anamorph_training.validation import Watch

RECIPE: Final = "srresnet"


@dataclass(frozen=True, kw_only=True)
class Config(RunOptions):
    """What decides a run; the network's defaults are the paper's."""

    data: Path
    """Folder of photographs to learn from, searched with its sub-folders."""
    valid: Path | None = None
    """Folder of held-out photographs; without it every 20th of --data is held out."""
    cache: Path | None = None
    """Folder for decoded pictures, 3 bytes a pixel; without it, one in the user's cache."""
    data_name: str = "own pictures"
    """Name of the data set, for the model's card."""
    licence: str = "unknown"
    """Licence of the data set, for the model's card."""

    scale: Literal[2, 3, 4] = 4
    """Output pixels per input pixel along each axis."""
    channels: Positive = 64
    """Width of the network, in features; multiples of 16 run fastest."""
    blocks: Extent = 16
    """Number of residual blocks."""
    head_kernel: Odd = 9
    """Side of the first convolution, odd, in input pixels."""
    tail_kernel: Odd = 9
    """Side of the last convolution, odd, in output pixels (in input pixels where direct)."""
    batch_norm: bool = True
    """Normalise inside the blocks, as the paper does; small networks do better without."""
    upsampling: Literal["staged", "direct"] = "staged"
    """Shuffle features up to full size, or all output pixels at once, many times cheaper."""
    image_skip: bool = False
    """Add the picture, enlarged by repetition, so that only detail is learnt."""
    activation: Literal["prelu", "relu"] = "prelu"
    """Activation: one learnt slope, or none."""

    steps: Positive = 100_000
    """Length of the run, in optimiser steps."""
    batch: Positive = 16
    """Crops per step."""
    patch: Positive = 24
    """Side of a low-resolution crop, in pixels."""
    learning_rate: Rate = 1e-4
    """Greatest learning rate of Adam, per step."""
    final_learning_rate: Rate = 1e-6
    """Learning rate of the last step, reached along a cosine."""
    warm_up: Extent = 500
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


def build(config: Config) -> SRResNet:
    """Make the network, with fresh weights from PyTorch's generator."""
    return SRResNet(
        scale=config.scale,
        channels=config.channels,
        blocks=config.blocks,
        head_kernel=config.head_kernel,
        tail_kernel=config.tail_kernel,
        batch_norm=config.batch_norm,
        upsampling=config.upsampling,
        image_skip=config.image_skip,
        activation=config.activation,
    )


def _learning_rate(config: Config, step: int) -> float:
    return warm_cosine(
        step,
        steps=config.steps,
        warm_up=config.warm_up,
        peak=config.learning_rate,
        floor=config.final_learning_rate,
    )


def train(config: Config, out: Path) -> None:
    """Train, or continue the run in ``out`` where it left off.

    Raises:
        InputError: The data cannot be used, or ``out`` holds another run, or one on other data.
        OutputError: ``out`` cannot be written.
        UnavailableError: The device is not there.
        KeyboardInterrupt: Ctrl-C came; the run stopped with a checkpoint.
        SystemExit: SIGTERM came, likewise; the code is 143.
    """
    found = find_photographs(config)
    fabric = start_fabric(
        device=config.device, precision=config.precision, threads=config.threads, seed=config.seed
    )
    open_run(out, RECIPE, config)
    progress = Progress(config.steps)
    network = build(config)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    adam = torch.optim.Adam(network.parameters(), betas=(0.9, config.beta2), fused=True)
    model, optimizer = fabric.setup(network, adam)
    average = start_average(network)
    parts: dict[str, Part] = {"network": network, "average": average, "optimizer": adam}

    resumed = resume(out, parts, steps=config.steps, report=progress.say)
    start = resumed.step
    effort = Effort(resumed.spent, gpus=count_gpus(fabric))
    pictures = prepare_photographs(config, found, patch=config.patch, report=progress.say)
    keeper = Keeper(out, RECIPE, config, [pictures.dataset])
    keeper.check(resumed)
    if not start:
        save_holdout(out, pictures.held)
    draw = partial(
        draw_batch,
        pairs=pictures.training,
        scale=config.scale,
        batch=config.batch,
        patch=config.patch,
        seed=config.seed,
    )
    watch = Watch(average, pictures.held, config.scale, pictures.bicubic_psnr, fabric.device)

    with (
        Interruption() as interruption,
        Journal(out, step=start, tensorboard=config.tensorboard) as journal,
        Prefetch(draw, start=start, stop=config.steps) as batches,
    ):
        meter = Meter(batches)
        for step, (low, high) in enumerate(batches, start=start + 1):
            rate = _learning_rate(config, step - 1)
            set_learning_rate(adam, rate)
            optimizer.zero_grad()
            loss = l1(model(fabric.to_device(low)), fabric.to_device(high))
            fabric.backward(loss)
            norm = fabric.clip_gradients(model, optimizer, max_norm=config.clip)
            optimizer.step()
            update_average(average, network, decay=config.average_decay, step=step - 1)

            meter.add(loss=loss, gradient_norm=norm)
            last = step == config.steps
            if step % config.log_every == 0 or last:
                figures = meter.take()
                hours = effort.spent.cpu_hours
                journal.write(step, **figures, learning_rate=rate, cpu_hours=hours)
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
    """Train a network that enlarges photographs (SRResNet).

    It learns from any folder of sharp photographs: their low-resolution partners are made by
    bicubic shrinking. A run stopped by Ctrl-C or a kill continues where the same command is
    repeated.

    Example:
        anamorph train srresnet --data my-pictures/ --out runs/mine
        anamorph train srresnet --data my-pictures/ --out runs/double --scale 2
        anamorph export runs/mine -o mine.onnx
    """
    train(config, out)


if __name__ == "__main__":
    sys.exit(cli.main(["train", RECIPE, *sys.argv[1:]]))
