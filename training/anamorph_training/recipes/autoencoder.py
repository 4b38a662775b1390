"""Learn short codes of pictures from which they can be made again: an autoencoder."""

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
from anamorph_training.latent_losses import negative_log_likelihood
from anamorph_training.loop.average import update_average
from anamorph_training.loop.device import count_gpus, start_fabric
from anamorph_training.loop.effort import Effort
from anamorph_training.loop.interruption import Interruption
from anamorph_training.loop.journal import Journal, Progress
from anamorph_training.loop.keeping import Keeper, resume
from anamorph_training.loop.learner import Diary, set_up_learner
from anamorph_training.loop.meter import Meter
from anamorph_training.loop.run_folder import open_run
from anamorph_training.networks.autoencoder import Autoencoder
from anamorph_training.options import CodeOptions

RECIPE: Final = "autoencoder"


@dataclass(frozen=True, kw_only=True)
class Config(CodeOptions):
    """What decides a run."""


def build(config: Config) -> Autoencoder:
    """Make the network, with fresh weights from PyTorch's generator."""
    return Autoencoder(make_size(config), latent=config.latent)


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
    fabric = start_fabric(
        device=config.device, precision=config.precision, threads=config.threads, seed=config.seed
    )
    open_run(out, RECIPE, config)
    progress = Progress(config.steps)
    learner = set_up_learner(fabric, build(config), config)
    resumed = resume(out, learner.parts, steps=config.steps, report=progress.say)
    effort = Effort(resumed.spent, gpus=count_gpus(fabric))
    keeper = Keeper(out, RECIPE, config, [images.dataset])
    keeper.check(resumed)
    if not resumed.step:
        save_examples(out, images)
        begin(learner, images.training)
    draw = partial(draw_batch, stack=images.training, choice=config)
    batches = Batches(draw, start=resumed.step, stop=config.steps)
    watch = CodeWatch(learner.average, images.held, images.training, fabric.device, out)

    with (
        Interruption() as interruption,
        Journal(out, step=resumed.step, tensorboard=config.tensorboard) as journal,
    ):
        meter = Meter(batches)
        diary = Diary(config, journal, progress, meter, watch, keeper, learner.parts, effort)
        for step, drawn in enumerate(batches, start=resumed.step + 1):
            rate = learner.set_rate(step)
            learner.optimizer.zero_grad()
            picture = fabric.to_device(drawn.picture)
            loss = negative_log_likelihood(
                learner.model(picture), picture, likelihood=config.likelihood, noise=config.noise
            ).mean()
            fabric.backward(loss)
            norm = fabric.clip_gradients(learner.model, learner.optimizer, max_norm=config.clip)
            learner.optimizer.step()
            update_average(
                learner.average, learner.network, decay=config.average_decay, step=step - 1
            )

            meter.add(loss=loss, gradient_norm=norm)
            if diary.enter(step, learning_rate=rate, stopping=interruption.asked):
                interruption.leave()


def main(
    config: Annotated[Config, Parameter(name="*")],
    *,
    out: Annotated[Path, Parameter(help="Folder of the run; an unfinished run continues.")],
) -> None:
    """Train an encoder and a decoder of pictures with a few numbers between them.

    What is not in the numbers is lost, so they come to hold what pictures of this kind differ in.
    A run stopped by Ctrl-C or a kill continues where the same command is repeated.

    Example:
        anamorph train autoencoder --data faces/ --by-folder --latent 64 --out runs/faces
        anamorph train autoencoder --data t10k-images-idx3-ubyte.gz --height 32 --width 32 \
            --latent 2 --out runs/digits
        anamorph export runs/faces -o faces.onnx
    """
    train(config, out)


if __name__ == "__main__":
    sys.exit(cli.main(["train", RECIPE, *sys.argv[1:]]))
