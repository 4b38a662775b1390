"""Classify without neglecting what is rare: debiasing VAE.

Amini et al., "Uncovering and Mitigating Algorithmic Bias through Learned Latent Structure", 2019.
"""

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter
from torch.nn import functional as F

from anamorph import cli
from anamorph_training.code_start import begin, make_size
from anamorph_training.code_watch import CodeWatch
from anamorph_training.data.batches import Batches, draw_batch
from anamorph_training.data.bias import check_labels, read_biased
from anamorph_training.data.images import save_examples
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
from anamorph_training.networks.debiasing_vae import DebiasingVAE
from anamorph_training.options import CodeOptions, Extent, Multiple, Positive, Rate, Share, Weight

RECIPE: Final = "debiasing_vae"


@dataclass(frozen=True, kw_only=True)
class Config(CodeOptions):
    """What decides a run."""

    classes: Positive = 2
    """Number of classes to tell apart; a folder's are its sub-folders."""
    classification_weight: Weight = 50.0
    """Weight of the cross entropy beside the VAE's loss, which is a sum over pixels."""
    beta: Weight = 1.0
    """Weight of the divergence; above 1 latents become independent, as their histograms need it."""
    alpha: Rate = 0.05
    """What is added to the share of pictures with alike latents; more makes draws more even."""
    most_often: Multiple = 30.0
    """How often a picture is drawn at most, as a multiple of how often one is on average."""
    resample_every: Extent = 100
    """Steps after which all pictures are encoded anew; 0 draws all alike, without debiasing."""
    rare_share: Share = 0.0
    """Make a kind rare on purpose: dark digits (IDX) or large sprites; 0 leaves the data as is."""


def build(config: Config) -> DebiasingVAE:
    """Make the network, with fresh weights from PyTorch's generator."""
    return DebiasingVAE(make_size(config), latent=config.latent, classes=config.classes)


def train(config: Config, out: Path) -> None:
    """Train, or continue the run in ``out`` where it left off.

    Raises:
        InputError: The data cannot be used, or ``out`` holds another run, or one on other data.
        OutputError: ``out`` cannot be written.
        UnavailableError: The device is not there.
        KeyboardInterrupt: Ctrl-C came; the run stopped with a checkpoint.
        SystemExit: SIGTERM came, likewise; the code is 143.
    """
    images = read_biased(config)
    check_countable(images.training, "debiasing_vae")
    labels = check_labels(config, images)
    fabric = start_fabric(
        device=config.device, precision=config.precision, threads=config.threads, seed=config.seed
    )
    open_run(out, RECIPE, config)
    progress = Progress(config.steps)
    learner = set_up_learner(fabric, build(config), config)
    rarity = Rarity(len(images.training))
    parts = learner.parts | {"rarity": rarity}
    resumed = resume(out, parts, steps=config.steps, report=progress.say)
    effort = Effort(resumed.spent, gpus=count_gpus(fabric))
    keeper = Keeper(out, RECIPE, config, [images.dataset])
    keeper.check(resumed)
    if not resumed.step:
        save_examples(out, images)
        begin(learner, images.training)
    draw = partial(draw_batch, stack=images.training, choice=config, weights=rarity.weights)
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
            logits, mean, log_variance, classes = learner.model(picture, noise)
            error = F.cross_entropy(classes, fabric.to_device(labels[drawn.indices]))
            distortion = negative_log_likelihood(
                logits, picture, likelihood=config.likelihood, noise=config.noise
            ).mean()
            divergence = kl_to_prior(mean, log_variance)
            loss = config.classification_weight * error + distortion + config.beta * divergence
            fabric.backward(loss)
            norm = fabric.clip_gradients(learner.model, learner.optimizer, max_norm=config.clip)
            learner.optimizer.step()
            update_average(
                learner.average, learner.network, decay=config.average_decay, step=step - 1
            )

            if config.resample_every and step % config.resample_every == 0:
                rarity.update(encode_all(learner.average, images.training, fabric.device), config)
            meter.add(
                loss=loss,
                cross_entropy=error,
                distortion=distortion,
                divergence=divergence,
                gradient_norm=norm,
            )
            if diary.enter(step, learning_rate=rate, stopping=interruption.asked):
                interruption.leave()


def main(
    config: Annotated[Config, Parameter(name="*")],
    *,
    out: Annotated[Path, Parameter(help="Folder of the run; an unfinished run continues.")],
) -> None:
    """Train a classifier that draws rare pictures more often, without being told which they are.

    Its encoder is also that of a VAE. Where few codes lie, pictures are drawn the more often, so
    that a class is learnt in all its kinds. A run stopped by Ctrl-C or a kill continues where the
    same command is repeated.

    Example:
        anamorph train debiasing_vae --data animals/ --classes 3 --out runs/animals
        anamorph train debiasing_vae --data sprites --classes 3 --rare-share 0.02 --out runs/rare
        anamorph export runs/animals -o animals.onnx
    """
    train(config, out)


if __name__ == "__main__":
    sys.exit(cli.main(["train", RECIPE, *sys.argv[1:]]))
