"""Teach a live voice converter what a better one does: Hinton et al., "Distilling...", 2015.

The teacher was trained by cycles and sees as far ahead as it likes. Its student has fewer blocks
and a short look-ahead, and learns by plain regression: that takes minutes, and no discriminator.
"""

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter
from torch import Tensor
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer

from anamorph import cli
from anamorph_training.conversion import StudentWatch, open_vocoder
from anamorph_training.data.lessons import Drawn, draw_lessons, prepare_lessons
from anamorph_training.data.patches import Prefetch
from anamorph_training.data.recordings import default_cache, find_recordings
from anamorph_training.data.voices import Voice, prepare_voice, save_held_voices
from anamorph_training.loop.average import start_average, update_average
from anamorph_training.loop.checkpoints import Part, Resumed
from anamorph_training.loop.device import count_gpus, start_fabric
from anamorph_training.loop.effort import Effort
from anamorph_training.loop.interruption import Interruption
from anamorph_training.loop.journal import Journal, Progress
from anamorph_training.loop.keeping import Keeper, resume
from anamorph_training.loop.meter import Meter
from anamorph_training.loop.optimizers import Method, make_optimizers, number, scale_rates
from anamorph_training.loop.provenance import Record
from anamorph_training.loop.run_folder import open_run
from anamorph_training.loop.schedule import warm_cosine
from anamorph_training.loop.warm_start import describe_model, describe_start, take_over
from anamorph_training.networks.voice_gan import VoiceGenerator
from anamorph_training.onnx_weights import load_generator
from anamorph_training.options import Extent, Positive, Rate, RunOptions, Share

RECIPE: Final = "distill_voice"


@dataclass(frozen=True, kw_only=True)
class Config(RunOptions):
    """What decides a run."""

    teacher: Path
    """Converter to learn from: a run of cyclegan_voice, a file or a zoo name."""
    source: tuple[Path, ...]
    """Folders of recordings of the voices that will be converted; repeat for several."""
    target: tuple[Path, ...]
    """Folders of recordings of the teacher's voice; repeat for several."""
    cache: Path | None = None
    """Folder for what is made of recordings; without it, one in the user's cache."""
    start: Path | None = None
    """Converter to begin with, wherever its weights fit: a run, a file or a zoo name."""
    vocoder: str | Path = ""  # no mere str: what paths may hold decides no weights
    """Vocoder that samples are heard through, a name or a path; without it Griffin-Lim."""
    source_name: str = "own recordings"
    """Name of the source's data set, for the model's card."""
    target_name: str = "own recordings"
    """Name of the target's data set, for the model's card."""
    source_licence: str = "unknown"
    """Licence of the source's data set, for the model's card."""
    target_licence: str = "unknown"
    """Licence of the target's data set, for the model's card."""

    channels: Positive = 160
    """Width of the generator, in features; multiples of 16 run fastest."""
    hidden: Positive = 160
    """Features that pass the gate of a block."""
    blocks: Positive = 5
    """Blocks of the generator."""
    look_ahead: Extent = 2
    """Frames of 256 samples that it may see ahead: 12 ms of delay each."""

    steps: Positive = 8_000
    """Length of the run, in optimiser steps."""
    variants: Extent = 4
    """Perturbed copies of each recording that the teacher also converts (needs pyworld)."""
    noisy: Share = 0.3
    """Share of crops that noise is added to."""
    least_gain: float = -14.0
    """Least change of a crop's level, in dB: nobody levels a live voice."""
    greatest_gain: float = 6.0
    """Greatest change of a crop's level, in dB."""
    batch: Positive = 12
    """Crops per step."""
    frames: Positive = 128
    """Length of a crop, in frames of 256 samples, context included."""
    optimizer: Method = "muon"
    """Muon for matrices and Adam for the rest, or Adam for all."""
    learning_rate: Rate = 3e-3
    """Greatest learning rate of the matrices, per step."""
    other_learning_rate: Rate = 1e-3
    """Greatest learning rate of what Muon does not take, per step."""
    final_share: Share = 0.02
    """Learning rate of the last step, reached along a cosine, as a share of the greatest."""
    warm_up: Extent = 100
    """Steps over which the learning rate rises from 0."""
    beta2: Share = 0.99
    """Decay of Adam's second moment, per step."""
    clip: Rate = 100.0
    """Greatest norm of the gradient; longer ones are shortened to it."""
    average_decay: Share = 0.999
    """Share of the averaged weights that stays, per step."""
    seed: Extent = 1
    """Seed of the weights and of the choice of crops."""

    check_every: Positive = 500
    """Steps between checkpoints; each also measures the held-out recordings."""
    sample_every: Positive = 2_000
    """Steps between sample sheets and sounds."""


def build(config: Config) -> VoiceGenerator:
    """Make the student, with fresh weights from PyTorch's generator."""
    return VoiceGenerator(
        channels=config.channels,
        hidden=config.hidden,
        blocks=config.blocks,
        look_ahead=config.look_ahead,
    )


def _miss(made: Tensor, lesson: Drawn) -> Tensor:
    """Return the mean absolute error of the frames that count."""
    error = (made - lesson.made).abs().mean(1)  # (b, frames)
    return (error * lesson.counts).sum() / lesson.counts.sum().clamp(min=1)


def _optimizers(config: Config, network: VoiceGenerator) -> list[Optimizer]:
    return make_optimizers(
        network,
        method=config.optimizer,
        rate=config.learning_rate,
        other_rate=config.other_learning_rate,
        beta2=config.beta2,
    )


def _learning_share(config: Config, step: int) -> float:
    return warm_cosine(
        step, steps=config.steps, warm_up=config.warm_up, peak=1.0, floor=config.final_share
    )


def _prepare(
    config: Config, files: tuple[list[Path], list[Path]], progress: Progress
) -> tuple[Voice, Voice]:
    names = (config.source_name, config.target_name)
    licences = (config.source_licence, config.target_licence)
    source, target = (
        prepare_voice(
            files[side],
            variants=config.variants,
            cache=config.cache or default_cache(),
            name=names[side],
            licence=licences[side],
            report=progress.say,
        )
        for side in (0, 1)
    )
    return source, target


def _keep(
    out: Path,
    config: Config,
    voices: tuple[Voice, Voice],
    resumed: Resumed,
    ancestor: Record | None,
    teacher: Record,
) -> Keeper:
    datasets = [voice.dataset for voice in voices]
    keeper = Keeper(out, RECIPE, config, datasets, ancestor, teacher, "--teacher")
    keeper.check(resumed)
    if not resumed.step:
        save_held_voices(out, *voices)
    return keeper


def train(config: Config, out: Path) -> None:
    """Train, or continue the run in ``out`` where it left off.

    Raises:
        InputError: The data, ``teacher``, ``start`` or ``vocoder`` cannot be used, or ``out``
            holds another run, or one on other data.
        OutputError: ``out`` cannot be written.
        UnavailableError: The device is not there, or pyworld, which copies need.
        KeyboardInterrupt: Ctrl-C came; the run stopped with a checkpoint.
        SystemExit: SIGTERM came, likewise; the code is 143.
    """
    files = find_recordings(config.source), find_recordings(config.target)
    vocoder = open_vocoder(str(config.vocoder))
    fabric = start_fabric(
        device=config.device, precision=config.precision, threads=config.threads, seed=config.seed
    )
    ancestor = describe_start(config.start, out)
    taught_by = describe_model(config.teacher, option="--teacher")
    teacher = load_generator(str(config.teacher))
    open_run(out, RECIPE, config)
    progress = Progress(config.steps)
    network = build(config)
    made = _optimizers(config, network)
    model, *optimizers = fabric.setup(network, *made)
    average = start_average(network)
    parts: dict[str, Part] = {"network": network, "average": average, **number(made)}

    resumed = resume(out, parts, steps=config.steps, report=progress.say)
    if resumed.step:
        ancestor = (resumed.record or {}).get("start")
    elif config.start:
        take_over(config.start, network, average, report=progress.say)
    effort = Effort(resumed.spent, gpus=count_gpus(fabric))
    source, target = _prepare(config, files, progress)
    keeper = _keep(out, config, (source, target), resumed, ancestor, taught_by)
    lessons = prepare_lessons(teacher, [*source.training, *target.training], report=progress.say)
    watch = StudentWatch(average, teacher, source, vocoder, fabric.device)
    draw = partial(
        draw_lessons,
        lessons=lessons,
        batch=config.batch,
        frames=config.frames,
        seed=config.seed,
        noisy=config.noisy,
        gain_db=(config.least_gain, config.greatest_gain),
        context=(network.context_before, network.context_after),
    )

    with (
        Interruption() as interruption,
        Journal(out, step=resumed.step, tensorboard=config.tensorboard) as journal,
        Prefetch(draw, start=resumed.step, stop=config.steps) as batches,
    ):
        meter = Meter(batches)
        for step, drawn in enumerate(batches, start=resumed.step + 1):
            lesson = drawn.to(fabric.device)
            scale_rates(made, share := _learning_share(config, step - 1))
            for optimizer in optimizers:
                optimizer.zero_grad()
            loss = _miss(model(lesson.given), lesson)
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
    """Teach a live converter what another one does: the same voice, a tenth of a second behind.

    A run stopped by Ctrl-C or a kill continues where the same command is repeated. The live
    converter wants a vocoder of its own, with a look-ahead as short.

    Example:
        anamorph train distill_voice --teacher runs/her --source me/ --target her/ --out runs/live
        anamorph train vocoder --data her/ --voice runs/live --look-ahead 2 --out runs/live-vocoder
        anamorph export runs/live --vocoder runs/live-vocoder -o her-live.onnx
    """
    train(config, out)


if __name__ == "__main__":
    sys.exit(cli.main(["train", RECIPE, *sys.argv[1:]]))
