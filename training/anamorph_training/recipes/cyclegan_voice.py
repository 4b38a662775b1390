"""Convert voices without pairs: MaskCycleGAN-VC (Kaneko et al., 2021), for CPUs.

Differs from the paper in the networks, and in what it learns from. First both generators learn to
undo copies whose pitch, formants and tilt were changed, which gives them pairs. Then discriminators
hold what is converted against undone copies, so that they see the voice and not the blur, and each
generator also learns to undo what the other one made.
"""

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import torch
from cyclopts import Parameter
from torch import Tensor

from anamorph import cli
from anamorph_training.conversion import Watch, open_vocoder
from anamorph_training.data.patches import Prefetch
from anamorph_training.data.recordings import default_cache, find_recordings
from anamorph_training.data.soundness import check_recordings
from anamorph_training.data.voices import (
    STATISTICS,
    Crops,
    Disguise,
    Voice,
    draw_crops,
    draw_mask,
    prepare_voice,
    save_held_voices,
)
from anamorph_training.loop.average import update_average
from anamorph_training.loop.checkpoints import Resumed
from anamorph_training.loop.device import count_gpus, start_fabric
from anamorph_training.loop.effort import Effort
from anamorph_training.loop.interruption import Interruption
from anamorph_training.loop.journal import Journal, Progress
from anamorph_training.loop.keeping import Keeper
from anamorph_training.loop.learners import resume_learners, set_up_learners
from anamorph_training.loop.meter import Meter
from anamorph_training.loop.optimizers import Method, scale_rates
from anamorph_training.loop.provenance import Record
from anamorph_training.loop.run_folder import open_run
from anamorph_training.loop.schedule import two_cosines
from anamorph_training.loop.warm_start import describe_start
from anamorph_training.losses import l1, least_squares_generator
from anamorph_training.networks.voice_gan import VoiceJudges, VoicePair
from anamorph_training.networks.waveform_discriminators import logits
from anamorph_training.options import Extent, Positive, Rate, RunOptions, Share, Weight
from anamorph_training.voice_rounds import Hide, Round, Undone, go_round, judge, undo

RECIPE: Final = "cyclegan_voice"


@dataclass(frozen=True, kw_only=True)
class Config(RunOptions):
    """What decides a run; the defaults do at once what the zoo's voices took several runs for."""

    source: tuple[Path, ...]
    """Folders of recordings of the voices that will be converted; repeat for several."""
    target: tuple[Path, ...]
    """Folders of recordings of the one voice that is wanted; repeat for several."""
    cache: Path | None = None
    """Folder for what is made of recordings; without it, one in the user's cache."""
    accept_faults: bool = False
    """Also train on recordings that are too few, clipped, noisy, or by several speakers."""
    start: Path | None = None
    """Run whose generators to begin with, wherever their weights fit."""
    start_judges: bool = False
    """Also begin with that run's discriminators; it has the same voices."""
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
    """Width of the generators, in features; multiples of 16 run fastest."""
    hidden: Positive = 160
    """Features that pass the gate of a block."""
    blocks: Positive = 8
    """Blocks of each generator."""
    look_ahead: Extent | None = None
    """Frames that they may see ahead, for live voices; without it, as many as before."""
    discriminator_channels: Positive = 16
    """Width of the discriminators' first convolution, in features."""

    steps: Positive = 10_000
    """Length of the run, in optimiser steps."""
    start_steps: Extent = 7_000
    """Steps of the start: perturbed copies alone are undone; 0 for cycles from the beginning."""
    variants: Extent = 4
    """Perturbed copies of each recording (needs pyworld); 0 for none, then also no start."""
    transplanted: Share = 0.5
    """Share of copies that are given the average spectrum of somebody's on the other side."""
    noisy: Share = 0.3
    """Share of copies that noise is added to."""
    far_copies: Weight = 2.0
    """Power of its pitch shift that copies are drawn by; more keeps less of a stranger's pitch."""
    batch: Positive = 8
    """Crops of each voice per step."""
    frames: Positive = 96
    """Length of a crop, in frames of 256 samples."""
    masked_share: Share = 0.25
    """Greatest share of a crop's frames that the generators have to fill in."""
    optimizer: Method = "muon"
    """Muon for matrices and Adam for the rest, or Adam for all."""
    learning_rate: Rate = 3e-3
    """Greatest learning rate of the generators' matrices, per step."""
    other_learning_rate: Rate = 1e-3
    """Greatest learning rate of what Muon does not take, per step."""
    discriminator_learning_rate: Rate = 4e-4
    """Greatest learning rate of the discriminators, per step."""
    start_final_share: Share = 0.3
    """Learning rate of the start's last step, as a share of the greatest."""
    cycle_rate_share: Rate = 1.0
    """Greatest learning rate after the start, as a share of the greatest."""
    final_share: Share = 0.02
    """Learning rate of the last step, reached along a cosine, as a share of the greatest."""
    warm_up: Extent = 100
    """Steps over which the learning rate rises from 0."""
    beta1: Share = 0.5
    """Decay of the first moment of the discriminators' Adam, per step."""
    beta2: Share = 0.99
    """Decay of Adam's second moment, per step."""
    clip: Rate = 100.0
    """Greatest norm of the generators' gradient; longer ones are shortened to it."""
    copy_weight: Weight = 5.0
    """Of the mean absolute error of undone copies."""
    adversarial_weight: Weight = 4.0
    """Of the squared error of passing for an undone copy (for a recording, without copies)."""
    second_weight: Weight = 0.5
    """Of the same for what came there and back."""
    cycle_weight: Weight = 1.0
    """Of the mean absolute error of sources there and back; more keeps more of the source."""
    target_cycle_weight: Weight = 5.0
    """Of that of targets there and back: pairs that the way back makes."""
    cycle_through: bool = False
    """Let what came back also teach the way there, which then hides the source in it."""
    identity_weight: Weight = 2.0
    """Of the mean absolute error where a voice is asked to become itself; fades to 0."""
    identity_share: Share = 0.5
    """Share of the steps after the start over which the identity loss fades."""
    average_decay: Share = 0.999
    """Share of the averaged weights that stays, per step."""
    seed: Extent = 1
    """Seed of the weights and of the choice of crops."""

    check_every: Positive = 500
    """Steps between checkpoints; each also measures the held-out recordings."""
    sample_every: Positive = 2_000
    """Steps between sample sheets and sounds."""

    @property
    def started_by(self) -> int:
        """Step after which cycles and discriminators join in."""
        return self.start_steps if self.variants else 0


def build(config: Config) -> VoicePair:
    """Make both generators, with fresh weights from PyTorch's generator."""
    return VoicePair(
        channels=config.channels,
        hidden=config.hidden,
        blocks=config.blocks,
        conditions=STATISTICS,
        look_ahead=config.look_ahead,
    )


def _hide(config: Config, step: int) -> Hide:
    share = config.masked_share
    return lambda mel: draw_mask(step, like=mel, greatest_share=share, seed=config.seed)


def _miss(config: Config, undone: Undone, crops: Crops) -> dict[str, Tensor]:
    """Return the weighted loss of undone copies, and its terms."""
    terms = {"copy": l1(undone.target, crops.target), "copy_back": l1(undone.source, crops.source)}
    return {"undone": config.copy_weight * (terms["copy"] + terms["copy_back"]), **terms}


def _compare(
    config: Config, pair: VoicePair, judges: VoiceJudges, crops: Crops, made: Round, step: int
) -> dict[str, Tensor]:
    """Return the weighted loss of a round, and its terms."""
    first = [judges.target(made.converted)[-1], judges.source(made.returned)[-1]]
    second = [judges.target_cycle(made.target_cycle), judges.source_cycle(made.source_cycle)]
    terms = {
        "adversarial": least_squares_generator(first),
        "second": least_squares_generator(logits(second)),
        "cycle": l1(made.source_cycle, crops.source),
        "target_cycle": l1(made.target_cycle, crops.target),
    }
    loss = (
        config.adversarial_weight * terms["adversarial"]
        + config.second_weight * terms["second"]
        + config.cycle_weight * terms["cycle"]
        + config.target_cycle_weight * terms["target_cycle"]
    )
    weight = _identity_weight(config, step)
    if weight:
        same = pair.to_source(crops.source, condition=crops.source_statistics)
        terms["identity"] = l1(pair.to_target(crops.target), crops.target) + l1(same, crops.source)
        loss = loss + weight * terms["identity"]
    return {"round": loss, **terms}


def _identity_weight(config: Config, step: int) -> float:
    """Fade the weight of the identity loss linearly, from the end of the start on."""
    fading = config.identity_share * (config.steps - config.started_by)
    return config.identity_weight * max(0.0, 1 - (step - config.started_by) / (fading or 1))


def _learning_share(config: Config, step: int) -> float:
    return two_cosines(
        step,
        steps=config.steps,
        first=config.started_by,
        warm_up=config.warm_up,
        first_floor=config.start_final_share,
        second_peak=config.cycle_rate_share,
        floor=config.final_share,
    )


def _prepare(
    config: Config, files: tuple[list[Path], list[Path]], progress: Progress
) -> tuple[Voice, Voice]:
    def prepare(side: int, name: str, licence: str) -> Voice:
        check = partial(
            check_recordings,
            folders=(config.source, config.target)[side],
            one_speaker=side == 1,
            report=progress.say,
        )
        return prepare_voice(
            files[side],
            variants=config.variants,
            cache=config.cache or default_cache(),
            name=name,
            licence=licence,
            report=progress.say,
            check=(lambda recordings: None) if config.accept_faults else check,
        )

    source = prepare(0, config.source_name, config.source_licence)
    return source, prepare(1, config.target_name, config.target_licence)


def _keep(
    out: Path,
    config: Config,
    voices: tuple[Voice, Voice],
    resumed: Resumed,
    ancestor: Record | None,
) -> Keeper:
    keeper = Keeper(out, RECIPE, config, [voice.dataset for voice in voices], ancestor)
    keeper.check(resumed)
    if not resumed.step:
        save_held_voices(out, *voices)
    return keeper


def train(config: Config, out: Path) -> None:
    """Train, or continue the run in ``out`` where it left off.

    Raises:
        InputError: The data, ``start`` or ``vocoder`` cannot be used, or ``out`` holds another
            run, or one on other data.
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
    open_run(out, RECIPE, config)
    progress = Progress(config.steps)
    pair, judges = build(config), VoiceJudges(channels=config.discriminator_channels)
    both = set_up_learners(fabric, pair, judges, config)
    resumed, ancestor = resume_learners(
        out, both, config, ancestor, report=progress.say, take_critic=config.start_judges
    )
    effort = Effort(resumed.spent, gpus=count_gpus(fabric))
    source, target = _prepare(config, files, progress)
    keeper = _keep(out, config, (source, target), resumed, ancestor)
    watch = Watch(both.average, source, target, vocoder, fabric.device)
    draw = partial(
        draw_crops,
        source=source,
        target=target,
        batch=config.batch,
        frames=config.frames,
        seed=config.seed,
        disguise=Disguise(config.transplanted, config.noisy, config.far_copies),
    )

    with (
        Interruption() as interruption,
        Journal(out, step=resumed.step, tensorboard=config.tensorboard) as journal,
        Prefetch(draw, start=resumed.step, stop=config.steps) as batches,
    ):
        meter = Meter(batches)
        for step, drawn in enumerate(batches, start=resumed.step + 1):
            crops = drawn.to(fabric.device)
            scale_rates(both.made, share := _learning_share(config, step - 1))
            with fabric.autocast():
                hide = _hide(config, step)
                undone = undo(pair, crops, hide) if config.variants else None
                terms = _miss(config, undone, crops) if undone else {}
                if step > config.started_by:
                    made = go_round(pair, crops, hide, through=config.cycle_through)
                    with both.teaching_critic():
                        judged = judge(judges, crops, undone, made)
                        fabric.backward(judged["discriminator"])
                    terms |= judged | _compare(config, pair, judges, crops, made, step)
            loss = torch.stack([terms[name] for name in ("undone", "round") if name in terms]).sum()
            both.zero_grad()
            fabric.backward(loss)
            norm = fabric.clip_gradients(both.model, both.optimizers[0], max_norm=config.clip)
            both.step()
            update_average(both.average, pair, decay=config.average_decay, step=step - 1)

            meter.add(loss=loss, gradient_norm=norm, **terms)
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
                keeper.save(step, both.parts, effort.spent)
            if interruption.asked and not last:
                progress.say(f"{out}: stopped after step {step}; the same command continues")
                interruption.leave()


def main(
    config: Annotated[Config, Parameter(name="*")],
    *,
    out: Annotated[Path, Parameter(help="Folder of the run; an unfinished run continues.")],
) -> None:
    """Train a converter from one set of voices to one voice, and back (CycleGAN).

    Nobody has to say the same sentences: any recordings of both will do, ten minutes of the target
    or more. The more voices the source holds, the better strangers are converted. A run stopped by
    Ctrl-C or a kill continues where the same command is repeated.

    Example:
        anamorph train cyclegan_voice --source me/ --target her/ --out runs/her
        anamorph export runs/her -o her.onnx
    """
    train(config, out)


if __name__ == "__main__":
    sys.exit(cli.main(["train", RECIPE, *sys.argv[1:]]))
