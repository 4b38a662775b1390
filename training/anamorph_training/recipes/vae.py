"""Learn codes of pictures that new pictures can be drawn from: VAE (Kingma & Welling, 2014)."""

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from anamorph import cli
from anamorph_training.code_start import begin, make_size
from anamorph_training.code_watch import CodeWatch
from anamorph_training.data.batches import Batches, draw_batch
from anamorph_training.data.images import read_images, save_examples
from anamorph_training.data.rarity import Rarity, check_countable, encode_all
from anamorph_training.latent_losses import kl_to_prior, negative_log_likelihood
from anamorph_training.loop.average import update_average
from anamorph_training.loop.device import count_gpus, start_fabric
from anamorph_training.loop.effort import Effort
from anamorph_training.loop.interruption import Interruption
from anamorph_training.loop.journal import Journal, Progress
from anamorph_training.loop.keeping import Keeper, resume
from anamorph_training.loop.learner import Diary, set_up_learner
from anamorph_training.loop.meter import Meter
from anamorph_training.loop.run_folder import open_run
from anamorph_training.networks.autoencoder import VAE
from anamorph_training.options import CodeOptions, Extent, Multiple, Positive, Rate, Weight

RECIPE: Final = "vae"


@dataclass(frozen=True, kw_only=True)
class Config(CodeOptions):
    """What decides a run."""

    divergence_warm_up: Extent = 0
    """Steps over which the weight of the divergence rises from 0 to 1."""
    free_bits: Weight = 0.0
    """Nats that each latent may carry at no cost (1 bit is 0.693 nats)."""
    mine_outliers: bool = False
    """Draw pictures the more often the rarer their codes are."""
    alpha: Rate = 0.1
    """What mining adds to the share of pictures with alike latents; more makes draws more even."""
    most_often: Multiple = 30.0
    """How often a picture is drawn at most, as a multiple of how often one is on average."""
    resample_every: Positive = 200
    """Steps after which mining encodes all pictures anew."""


def build(config: Config) -> VAE:
    """Make the network, with fresh weights from PyTorch's generator."""
    return VAE(make_size(config), latent=config.latent)


def _weight(config: Config, step: int) -> float:
    """Return the weight of the divergence in a step, counted from 1."""
    return min(1.0, step / max(1, config.divergence_warm_up))


def train(config: Config, out: Path) -> None:
    """Train, or continue the run in ``out`` where it left off.

    Raises:
        InputError: The data cannot be used, or ``out`` holds another run, or one on other data.
        OutputError: ``out`` cannot be written.
        UnavailableError: The device is not there.
        KeyboardInterrupt: Ctrl-C came; the run stopped with a checkpoint.
        SystemExit: SIGTERM came, likewise; the code is 143.
    """
    images = read_images(config)
    if config.mine_outliers:
        check_countable(images.training, "--mine-outliers")
    fabric = start_fabric(
        device=config.device, precision=config.precision, threads=config.threads, seed=config.seed
    )
    open_run(out, RECIPE, config)
    progress = Progress(config.steps)
    learner = set_up_learner(fabric, build(config), config)
    rarity = Rarity(len(images.training)) if config.mine_outliers else None
    parts = learner.parts | ({"rarity": rarity} if rarity else {})
    resumed = resume(out, parts, steps=config.steps, report=progress.say)
    effort = Effort(resumed.spent, gpus=count_gpus(fabric))
    keeper = Keeper(out, RECIPE, config, [images.dataset])
    keeper.check(resumed)
    if not resumed.step:
        save_examples(out, images)
        begin(learner, images.training)
    weights = rarity.weights if rarity else None
    draw = partial(draw_batch, stack=images.training, choice=config, weights=weights)
    batches = Batches(draw, start=resumed.step, stop=config.steps)
    watch = CodeWatch(learner.average, images.held, images.training, fabric.device, out)

    with (
        Interruption() as interruption,
        Journal(out, step=resumed.step, tensorboard=config.tensorboard) as journal,
    ):
        meter = Meter(batches)
        diary = Diary(config, journal, progress, meter, watch, keeper, parts, effort)
        for step, drawn in enumerate(batches, start=resumed.step + 1):
            rate = learner.set_rate(step)
            learner.optimizer.zero_grad()
            picture, noise = fabric.to_device(drawn.picture), fabric.to_device(drawn.noise)
            logits, mean, log_variance = learner.model(picture, noise)
            distortion = negative_log_likelihood(
                logits, picture, likelihood=config.likelihood, noise=config.noise
            ).mean()
            divergence = kl_to_prior(mean, log_variance, config.free_bits)
            loss = distortion + _weight(config, step) * divergence
            fabric.backward(loss)
            norm = fabric.clip_gradients(learner.model, learner.optimizer, max_norm=config.clip)
            learner.optimizer.step()
            update_average(
                learner.average, learner.network, decay=config.average_decay, step=step - 1
            )

            if rarity and step % config.resample_every == 0:
                rarity.update(encode_all(learner.average, images.training, fabric.device), config)
            meter.add(loss=loss, distortion=distortion, divergence=divergence, gradient_norm=norm)
            if diary.enter(step, learning_rate=rate, stopping=interruption.asked):
                interruption.leave()


def main(
    config: Annotated[Config, Parameter(name="*")],
    *,
    out: Annotated[Path, Parameter(help="Folder of the run; an unfinished run continues.")],
) -> None:
    """Train an encoder and a decoder of pictures with a Gaussian code between them (VAE).

    Codes lie close to N(0, I), so that pictures can be drawn from it, and what lies between two
    codes is a picture too. A run stopped by Ctrl-C or a kill continues where the same command is
    repeated.

    Example:
        anamorph train vae --data faces/ --by-folder --width 64 --height 64 --out runs/faces
        anamorph train vae --data t10k-images-idx3-ubyte.gz --height 32 --width 32 --out runs/digits
        anamorph export runs/faces -o faces.onnx
    """
    train(config, out)


if __name__ == "__main__":
    sys.exit(cli.main(["train", RECIPE, *sys.argv[1:]]))
