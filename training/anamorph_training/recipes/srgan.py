"""Enlarge photographs with invented texture: Ledig et al., SRGAN, 2017, for CPUs.

Differs from RepSR's recipe in a discriminator, in the losses, and in a start from the whole of a
distortion model; from the paper in the network, in terms that hold colours and forbid grids, in
relative judgements, and in the discriminator's own features where VGG19 is not at hand.
"""

import dataclasses
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Final, Literal

import torch
from cyclopts import Parameter
from lightning_fabric import Fabric
from torch import Tensor

from anamorph import cli
from anamorph.errors import InputError
from anamorph_training.data.holdout import save_holdout
from anamorph_training.data.patches import Prefetch, draw_batch
from anamorph_training.data.photographs import (
    Found,
    Photographs,
    find_photographs,
    prepare_photographs,
)
from anamorph_training.loop.adversaries import Adversaries, set_up_adversaries, shift
from anamorph_training.loop.average import update_average
from anamorph_training.loop.checkpoints import Resumed
from anamorph_training.loop.device import count_gpus, start_fabric
from anamorph_training.loop.effort import Effort
from anamorph_training.loop.interruption import Interruption
from anamorph_training.loop.journal import Journal, Progress
from anamorph_training.loop.keeping import Keeper, resume
from anamorph_training.loop.meter import Meter
from anamorph_training.loop.optimizers import scale_rates
from anamorph_training.loop.provenance import Record
from anamorph_training.loop.run_folder import open_run
from anamorph_training.loop.schedule import warm_cosine
from anamorph_training.loop.warm_start import describe_start, fill
from anamorph_training.losses import (
    adversarial_discriminator,
    adversarial_generator,
    adversarial_relative,
    consistency,
    feature_matching,
    grid,
    l1,
    perceptual,
)
from anamorph_training.networks.repsr import Block, RepSR
from anamorph_training.networks.srgan import Discriminator
from anamorph_training.networks.vgg19 import VGG19Features
from anamorph_training.options import Extent, Positive, Rate, RunOptions, Share, Weight, Zooms
from anamorph_training.validation import Watch
from anamorph_training.vgg19_file import hash_file, load_vgg19

RECIPE: Final = "srgan"
_SIDE_STEP: Final = 16  # the discriminator halves its pictures four times
_GRID_REACH: Final = 8  # low-resolution pixels over which a grid is looked for
_LEAST_PATCH: Final = 5  # low-resolution pixels, of which consistency leaves the edges out
_BETA1: Final = 0.9  # of both Adams; the paper's


@dataclass(frozen=True, kw_only=True)
class Config(RunOptions):
    """What decides a run."""

    data: Path
    """Folder of photographs to learn from, searched with its sub-folders."""
    valid: Path | None = None
    """Folder of held-out photographs; without it every 20th of --data is held out."""
    cache: Path | None = None
    """Folder for decoded pictures, 3 bytes a pixel; without it, one in the user's cache."""
    start: Path | None = None
    """Run of the distortion model (repsr) to begin with; scale and network must be the same."""
    vgg: Path | None = None
    """File of VGG19's weights for the perceptual term; without it the discriminator serves."""
    vgg_sha256: str = ""
    """SHA-256 that the VGG19 file must have; without it, that of the file is kept with the run."""
    data_name: str = "own pictures"
    """Name of the data set, for the model's card."""
    licence: str = "unknown"
    """Licence of the data set, for the model's card."""

    scale: Literal[2, 3, 4] = 4
    """Output pixels per input pixel along each axis."""
    channels: Positive = 64
    """Width of the network, in features; multiples of 16 run fastest."""
    blocks: Extent = 9
    """Number of blocks."""
    block: Block = "residual"
    """Two convolutions in a block (residual), one (plain), or three (attention)."""
    branches: bool = True
    """Train each convolution as several branches, which are folded at every step."""
    discriminator_channels: Positive = 32
    """Width of the discriminator's first convolution, in features; the paper's is 64."""
    discriminator_dense: Positive = 128
    """Width of the discriminator's first dense layer, in features; the paper's is 1024."""

    steps: Positive = 5000
    """Length of the run, in steps of the discriminator; the network steps in all but the first."""
    discriminator_warm_up: Extent = 200
    """Steps at the start in which the discriminator learns alone."""
    zooms: Zooms = (0.75, 0.5)
    """Learn also from pictures shrunk to these shares of their sides: sharper, and more of them."""
    batch: Positive = 16
    """Crops per step."""
    patch: Positive = 32
    """Side of a low-resolution crop, in pixels; times the scale a multiple of 16."""
    learning_rate: Rate = 1e-4
    """Greatest learning rate of the network's Adam, per step; the paper's."""
    discriminator_learning_rate: Rate = 1e-4
    """Greatest learning rate of the discriminator's Adam, per step; the paper's."""
    final_share: Share = 0.1
    """Learning rates of the last step, reached along a cosine, as a share of the greatest."""
    beta2: Share = 0.99
    """Decay of Adam's second moments, per step; ESRGAN's."""
    clip: Rate = 1.0
    """Greatest norm of the network's gradient; longer ones are shortened to it."""

    pixel_weight: Weight = 1.0
    """Of the mean absolute error of pixels in [0, 1]: more is nearer to the truth, and softer."""
    consistency_weight: Weight = 1.0
    """Of the mean absolute error, in [0, 1], to the input once the output is shrunk again."""
    grid_weight: Weight = 5.0
    """Of the mean absolute error, in [0, 1], of what repeats with the pixel shuffle's period."""
    perceptual_weight: Weight = 0.2
    """Of the difference of features, VGG19's or the discriminator's."""
    adversarial_weight: Weight = 0.01
    """Of the cross entropy, in nats, of passing for a photograph: more is sharper, and bolder."""
    relative: bool = True
    """Judge each fake against the photograph it stands for; without, the paper's, by itself."""
    smoothing: Share = 0.1
    """Without relative: what the label of real pictures falls short of 1, against certainty."""
    average_decay: Share = 0.999
    """Share of the averaged weights that stays, per step."""
    seed: Extent = 1
    """Seed of the weights and of the choice of crops."""

    check_every: Positive = 500
    """Steps between checkpoints; each also measures the held-out pictures and their texture."""
    sample_every: Positive = 1000
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


def _find(config: Config) -> Found:
    """Find the photographs; refuse first what cannot work."""
    side = config.patch * config.scale
    if side % _SIDE_STEP or config.patch < _LEAST_PATCH:
        step = _SIDE_STEP // math.gcd(_SIDE_STEP, config.scale)
        raise InputError(
            f"patch {config.patch} at scale {config.scale} makes crops of {side} pixels, but the "
            f"discriminator takes multiples of {_SIDE_STEP}, made of {_LEAST_PATCH} or more; "
            f"give --patch {math.ceil(max(config.patch, _LEAST_PATCH) / step) * step}"
        )
    if config.vgg_sha256 and not config.vgg:
        raise InputError(f"vgg_sha256 {config.vgg_sha256}: of no file; give the file as --vgg")
    return find_photographs(config)


def _see(config: Config, fabric: Fabric) -> tuple[Config, VGG19Features | None]:
    """Load VGG19, where it is given, and note its digest, to which a resume is held."""
    if not config.vgg:
        return config, None
    network = load_vgg19(config.vgg, sha256=config.vgg_sha256 or None)
    config = dataclasses.replace(config, vgg_sha256=hash_file(config.vgg))
    seeing: VGG19Features = fabric.setup_module(network)  # type: ignore[assignment]
    return config, seeing


def _set_up(config: Config, fabric: Fabric, out: Path) -> tuple[Adversaries[RepSR], Record | None]:
    """Return both networks, and the run that the first begins with."""
    network, ancestor = build(config), describe_start(config.start, out)
    if config.start and ancestor:
        fill(network, config.start)
    channels, dense = config.discriminator_channels, config.discriminator_dense
    critic = Discriminator(side=config.patch * config.scale, channels=channels, dense=dense)
    both = set_up_adversaries(
        fabric,
        network,
        critic,
        rates=(config.learning_rate, config.discriminator_learning_rate),
        betas=(_BETA1, config.beta2),
        methods=("features", "judge"),
    )
    return both, ancestor


def _resume(
    out: Path,
    config: Config,
    both: Adversaries[RepSR],
    ancestor: Record | None,
    report: Callable[[str], None],
) -> tuple[Resumed, Record | None]:
    """Return where the run goes on, and the run that it once began with."""
    resumed = resume(out, both.parts, steps=config.steps, report=report)
    if resumed.step:
        return resumed, (resumed.record or {}).get("start")
    if config.start:
        report(f"{config.start}: all its weights are taken over")
    else:
        report("no --start: fresh weights take far longer than those of: anamorph train repsr")
    return resumed, ancestor


def _judge(
    config: Config, critic: Discriminator, high: Tensor, fake: Tensor, step: int
) -> dict[str, Tensor]:
    """Return the discriminator's loss, and the share of pictures that it is right about."""
    # Each by itself: batch norm over both together would tell each of the other.
    on_real, on_fake = (critic(one) for one in shift(high, fake, seed=config.seed, step=step))
    if config.relative:
        loss, right = adversarial_relative(on_real, on_fake), on_real > on_fake
    else:
        loss = adversarial_discriminator(on_real, on_fake, config.smoothing)
        right = torch.cat([on_real > 0, on_fake < 0])
    return {"discriminator": loss, "right_answers": right.float().mean()}


def _compare(
    config: Config,
    critic: Discriminator,
    vgg: VGG19Features | None,
    low: Tensor,
    high: Tensor,
    fake: Tensor,
    step: int,
) -> dict[str, Tensor]:
    """Return the network's loss, and the terms that it weighs."""
    seen, real = shift(fake, high, seed=config.seed, step=step)
    features = critic.features(seen)
    with torch.no_grad():
        truth = critic.features(real)
    judgement = critic.judge(features)
    if config.relative:
        deceit = adversarial_relative(judgement, critic.judge(truth))
    else:
        deceit = adversarial_generator(judgement)
    reach = math.gcd(config.patch, _GRID_REACH)
    terms = {
        "pixel": (config.pixel_weight, l1(fake, high)),
        "consistency": (config.consistency_weight, consistency(fake, low, config.scale)),
        "grid": (config.grid_weight, grid(fake, high, config.scale, reach)),
        "adversarial": (config.adversarial_weight, deceit),
    }
    if config.perceptual_weight:
        unlike = perceptual(seen, real, vgg) if vgg else feature_matching(features, truth)
        terms["perceptual"] = (config.perceptual_weight, unlike)
    loss = torch.stack([weight * term for weight, term in terms.values()]).sum()
    return {"loss": loss, **{name: term for name, (_, term) in terms.items()}}


def _prefetch(config: Config, pictures: Photographs, done: int) -> Prefetch[tuple[Tensor, Tensor]]:
    draw = partial(
        draw_batch,
        pairs=pictures.training,
        scale=config.scale,
        batch=config.batch,
        patch=config.patch,
        seed=config.seed,
    )
    return Prefetch(draw, start=done, stop=config.steps)


def _watch(config: Config, average: RepSR, pictures: Photographs, fabric: Fabric) -> Watch:
    truth = pictures.held, config.scale, pictures.bicubic_psnr
    return Watch(average, *truth, fabric.device, texture=True)


def _learning_share(config: Config, step: int) -> float:
    return warm_cosine(step, steps=config.steps, warm_up=0, peak=1.0, floor=config.final_share)


def train(config: Config, out: Path) -> None:
    """Train, or continue the run in ``out`` where it left off.

    Raises:
        InputError: The data, ``patch`` or ``start`` cannot be used, or ``out`` holds another run,
            or one on other data.
        ModelFileError, ModelNotFoundError: VGG19's file is another one, damaged, or not there.
        OutputError: ``out`` cannot be written.
        UnavailableError: The device is not there.
        KeyboardInterrupt: Ctrl-C came; the run stopped with a checkpoint.
        SystemExit: SIGTERM came, likewise; the code is 143.
    """
    found = _find(config)
    fabric = start_fabric(
        device=config.device, precision=config.precision, threads=config.threads, seed=config.seed
    )
    config, vgg = _see(config, fabric)
    both, ancestor = _set_up(config, fabric, out)
    open_run(out, RECIPE, config)
    progress = Progress(config.steps)
    resumed, ancestor = _resume(out, config, both, ancestor, progress.say)
    effort = Effort(resumed.spent, gpus=count_gpus(fabric))
    pictures = prepare_photographs(
        config, found, patch=config.patch, report=progress.say, zooms=config.zooms
    )
    keeper = Keeper(out, RECIPE, config, [pictures.dataset], ancestor)
    keeper.check(resumed)
    if not resumed.step:
        save_holdout(out, pictures.held)
    watch = _watch(config, both.average, pictures, fabric)

    with (
        Interruption() as interruption,
        Journal(out, step=resumed.step, tensorboard=config.tensorboard) as journal,
        _prefetch(config, pictures, resumed.step) as batches,
    ):
        meter = Meter(batches)
        for step, pair in enumerate(batches, start=resumed.step + 1):
            low, high = fabric.to_device(pair)
            scale_rates(both.optimizers, _learning_share(config, step - 1))
            fake = both.generate(low, learning=step > config.discriminator_warm_up)

            both.critic.requires_grad_(True)
            both.critic_optimizer.zero_grad()
            judged = _judge(config, both.critic, high, fake.detach(), step)
            fabric.backward(judged["discriminator"])
            norm = fabric.clip_gradients(both.critic, both.critic_optimizer, max_norm=math.inf)
            both.critic_optimizer.step()
            meter.add(**judged, discriminator_gradient_norm=norm)

            if fake.requires_grad:
                both.critic.requires_grad_(False)  # it passes the gradient on, and keeps none
                both.optimizer.zero_grad()
                compared = _compare(config, both.critic, vgg, low, high, fake, step)
                fabric.backward(compared["loss"])
                norm = fabric.clip_gradients(both.generator, both.optimizer, max_norm=config.clip)
                both.optimizer.step()
                meter.add(**compared, gradient_norm=norm)
            update_average(both.average, both.network, decay=config.average_decay, step=step - 1)

            last = step == config.steps
            if step % config.log_every == 0 or last:
                figures = meter.take() | {"learning_rate": both.rate}
                journal.write(step, **figures, cpu_hours=effort.spent.cpu_hours)
                progress.show(step, right_answers=figures["right_answers"])
            if step % config.check_every == 0 or last:
                watch.measure(step, journal, progress)
            if step % config.sample_every == 0 or last:
                watch.sample(step, out)
            if step % config.check_every == 0 or last or interruption.asked:
                keeper.save(step, both.parts, effort.spent)
            if interruption.asked and not last:
                progress.say(f"{out}: stopped after step {step}; the same command continues")
                interruption.leave()


def main(
    config: Annotated[Config, Parameter(name="*")],
    *,
    out: Annotated[Path, Parameter(help="Folder of the run; an unfinished run continues.")],
) -> None:
    """Train a network that enlarges photographs and invents their texture (SRGAN).

    First train a distortion model with the recipe repsr: --start takes its run over, and a
    discriminator then teaches it what photographs look like. A file of VGG19's weights can say how
    alike two pictures look; without one, the discriminator's features do. A run stopped by Ctrl-C
    or a kill continues where the same command is repeated.

    Example:
        anamorph train srgan --data my-pictures/ --out runs/real --start runs/sharp
        anamorph export runs/real -o real.onnx
    """
    train(config, out)


if __name__ == "__main__":
    sys.exit(cli.main(["train", RECIPE, *sys.argv[1:]]))
