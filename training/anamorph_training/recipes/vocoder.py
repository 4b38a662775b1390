"""Turn log-mel spectrograms into speech: Vocos (Siuzdak, 2023), for CPUs.

Differs from the paper in that spectral losses teach alone until the adversarial ones are worth
their time, in Muon for the matrices, and in lighter discriminators that see parts of the batch.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import torch
from cyclopts import Parameter
from torch import Tensor

from anamorph import cli
from anamorph_training.copy_synthesis import Watch
from anamorph_training.data.converted import draw_converted, prepare_converted
from anamorph_training.data.patches import Prefetch
from anamorph_training.data.recordings import find_recordings
from anamorph_training.data.speech import Speech, prepare_speech, save_held
from anamorph_training.data.waveforms import Stretches, draw_waveforms
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
from anamorph_training.loop.schedule import warm_cosine
from anamorph_training.loop.warm_start import describe_model, describe_start
from anamorph_training.losses import (
    feature_matching,
    least_squares_discriminator,
    least_squares_generator,
)
from anamorph_training.networks.vocos import Vocoder
from anamorph_training.networks.waveform_discriminators import (
    WaveformDiscriminator,
    features,
    logits,
    share_right,
)
from anamorph_training.options import Extent, Positive, Rate, RunOptions, Share, Weight
from anamorph_training.spectra import limit_bandwidth, log_mel
from anamorph_training.spectral_losses import average_spectrum_error, harmonic_error, spectral

RECIPE: Final = "vocoder"
SAMPLE_RATE: Final = 22_050  # Hz; with the hop, what HiFi-GAN's mel is defined at
_HOP: Final = 256
_STREAM: Final = 1  # of a step's random numbers; stream 0 chose its stretches


@dataclass(frozen=True, kw_only=True)
class Config(RunOptions):
    """What decides a run; the zoo's vocoder-22k took two, whose options `just train-zoo` gives."""

    data: tuple[Path, ...]
    """Folders of recordings to learn from, searched with their sub-folders; repeat for several."""
    cache: Path | None = None
    """Folder for decoded recordings, 2 bytes a sample; without it, one in the user's cache."""
    start: Path | None = None
    """Vocoder to begin with, wherever its weights fit: a run, a file or a zoo name."""
    voice: Path | None = None
    """Converter (a run, a file or a zoo name) whose output to learn to speak; needs pyworld."""
    data_name: str = "own recordings"
    """Name of the data set, for the model's card."""
    licence: str = "unknown"
    """Licence of the data set, for the model's card."""

    channels: Positive = 192
    """Width of the network, in features; multiples of 16 run fastest."""
    hidden: Positive = 576
    """Width within a block, in features."""
    blocks: Positive = 6
    """Number of blocks."""
    look_ahead: Extent | None = None
    """Frames that it may see ahead, for live voices; without it, as many as before."""
    period_channels: Positive = 16
    """Width of the discriminators by period, in features."""
    resolution_channels: Positive = 8
    """Width of the discriminators by resolution, in features."""

    steps: Positive = 20_000
    """Length of the run, in optimiser steps."""
    adversarial_from: Extent = 8_000
    """Step after which the discriminators join in."""
    batch: Positive = 12
    """Stretches per step."""
    frames: Positive = 48
    """Length of a stretch, in frames of 256 samples."""
    judged: Positive = 6
    """Stretches of a step that the discriminators see."""
    judged_frames: Positive = 32
    """Length of what they see of each, in frames."""
    least_gain: float = -12.0
    """Least change of a stretch's level, in dB."""
    greatest_gain: float = 4.0
    """Greatest change of a stretch's level, in dB; less where it would clip."""
    optimizer: Method = "muon"
    """Muon for matrices and Adam for the rest, or Adam for all."""
    learning_rate: Rate = 5e-3
    """Greatest learning rate of the matrices, per step."""
    other_learning_rate: Rate = 1e-3
    """Greatest learning rate of what Muon does not take, per step."""
    discriminator_learning_rate: Rate = 4e-4
    """Greatest learning rate of the discriminators, per step."""
    final_share: Share = 0.02
    """Learning rate of the last step, reached along a cosine, as a share of the greatest."""
    warm_up: Extent = 200
    """Steps over which the learning rate rises from 0."""
    beta1: Share = 0.8
    """Decay of the first moment of the discriminators' Adam, per step."""
    beta2: Share = 0.99
    """Decay of Adam's second moment, per step."""
    clip: Rate = 500.0
    """Greatest norm of the vocoder's gradient; longer ones are shortened to it."""
    mel_weight: Weight = 20.0
    """Of the mean absolute difference of log-mel spectra."""
    stft_weight: Weight = 2.0
    """Of spectral convergence, and of the mean absolute difference of log magnitudes."""
    tone_weight: Weight = 0.0
    """Of the error of log magnitudes averaged over a batch: 10 ends most hum, costs some DNSMOS."""
    harmonic_weight: Weight = 0.0
    """Of the convergence of low harmonics over long windows: against roughness."""
    adversarial_weight: Weight = 2.0
    """Of the squared error of passing for a recording."""
    matching_weight: Weight = 20.0
    """Of the mean absolute difference of the discriminators' features."""
    average_decay: Share = 0.999
    """Share of the averaged weights that stays, per step."""
    seed: Extent = 1
    """Seed of the weights and of the choice of stretches."""

    check_every: Positive = 500
    """Steps between checkpoints; each also measures the held-out recordings."""
    sample_every: Positive = 2_000
    """Steps between sample sheets and sounds."""

    @property
    def sample_rate(self) -> int:
        """Hz."""
        return SAMPLE_RATE


def build(config: Config) -> Vocoder:
    """Make the network, with fresh weights from PyTorch's generator."""
    return Vocoder(
        channels=config.channels,
        hidden=config.hidden,
        blocks=config.blocks,
        look_ahead=config.look_ahead,
    )


def _build_discriminator(config: Config) -> WaveformDiscriminator:
    return WaveformDiscriminator(
        period_channels=config.period_channels, resolution_channels=config.resolution_channels
    )


def _prepare(
    config: Config, files: list[Path], progress: Progress
) -> tuple[Speech, Callable[[int], Stretches]]:
    """Return the recordings, and what draws the batch of a step from them."""
    options: dict[str, Any] = {
        "batch": config.batch,
        "samples": config.frames * _HOP,
        "seed": config.seed,
        "gain_db": (config.least_gain, config.greatest_gain),
    }
    if config.voice is None:
        speech = prepare_speech(config, files, report=progress.say)
        return speech, partial(draw_waveforms, recordings=speech.training, **options)
    speech, spoken = prepare_converted(config, config.voice, files, report=progress.say)
    return speech, partial(draw_converted, spoken=spoken, **options)


def _given(stretches: Stretches, waveform: Tensor) -> Tensor:
    """Return what the vocoder is shown, on the waveform's device: (batch, 80, frames)."""
    return log_mel(waveform) if stretches.mel is None else stretches.mel.to(waveform.device)


def _excerpt(config: Config, step: int, *waveforms: Tensor) -> list[Tensor]:
    """Return what the discriminators see in a step of each waveform (batch, samples)."""
    length = min(config.judged_frames, config.frames) * _HOP
    generator = np.random.default_rng([config.seed, step, _STREAM])
    start = int(generator.integers(config.frames * _HOP - length + 1))
    return [one[: config.judged, start : start + length] for one in waveforms]


def _judge(critic: Any, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
    """Return the discriminators' loss, and the share that they are right about."""
    on_real, on_fake = logits(critic(real)), logits(critic(fake))
    return {
        "discriminator": least_squares_discriminator(on_real, on_fake),
        "right_answers": share_right(on_real, on_fake),
    }


def _deceive(config: Config, critic: Any, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
    """Return the weighted adversarial loss of the vocoder, and its terms."""
    judged = critic(fake)
    with torch.no_grad():
        truth = critic(real)
    deceit = least_squares_generator(logits(judged))
    matching = feature_matching(features(judged), features(truth))
    total = config.adversarial_weight * deceit + config.matching_weight * matching
    return {"deceit": total, "adversarial": deceit, "matching": matching}


def _compare(config: Config, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
    """Return the weighted spectral loss, and its terms."""
    terms = spectral(fake, real, sample_rate=SAMPLE_RATE)
    loss = config.mel_weight * terms["mel"]
    loss = loss + config.stft_weight * (terms["convergence"] + terms["magnitude"])
    if config.tone_weight:
        terms["tone"] = average_spectrum_error(fake, real)
        loss = loss + config.tone_weight * terms["tone"]
    if config.harmonic_weight:
        terms["harmonic"] = harmonic_error(fake, real, sample_rate=SAMPLE_RATE)
        loss = loss + config.harmonic_weight * terms["harmonic"]
    return {"spectral": loss, **terms}


def _learning_share(config: Config, step: int) -> float:
    return warm_cosine(
        step, steps=config.steps, warm_up=config.warm_up, peak=1.0, floor=config.final_share
    )


def _keep(
    out: Path,
    config: Config,
    speech: Speech,
    resumed: Resumed,
    ancestor: Record | None,
    voice: Record | None,
) -> Keeper:
    keeper = Keeper(out, RECIPE, config, [speech.dataset], ancestor, voice)
    keeper.check(resumed)
    if not resumed.step:
        save_held(out, speech.held, SAMPLE_RATE)
    return keeper


def train(config: Config, out: Path) -> None:
    """Train, or continue the run in ``out`` where it left off.

    Raises:
        InputError: The data, ``start`` or ``voice`` cannot be used, or ``out`` holds another run,
            or one on other data.
        OutputError: ``out`` cannot be written.
        UnavailableError: The device is not there.
        KeyboardInterrupt: Ctrl-C came; the run stopped with a checkpoint.
        SystemExit: SIGTERM came, likewise; the code is 143.
    """
    files = find_recordings(config.data)
    fabric = start_fabric(
        device=config.device, precision=config.precision, threads=config.threads, seed=config.seed
    )
    ancestor = describe_start(config.start, out)
    voice = describe_model(config.voice, option="--voice") if config.voice else None
    open_run(out, RECIPE, config)
    progress = Progress(config.steps)
    both = set_up_learners(fabric, build(config), _build_discriminator(config), config)
    resumed, ancestor = resume_learners(
        out, both, config, ancestor, report=progress.say, take_critic=True
    )
    effort = Effort(resumed.spent, gpus=count_gpus(fabric))
    speech, draw = _prepare(config, files, progress)
    keeper = _keep(out, config, speech, resumed, ancestor, voice)
    watch = Watch(both.average, speech.held, SAMPLE_RATE, fabric.device)

    with (
        Interruption() as interruption,
        Journal(out, step=resumed.step, tensorboard=config.tensorboard) as journal,
        Prefetch(draw, start=resumed.step, stop=config.steps) as batches,
    ):
        meter = Meter(batches)
        for step, stretches in enumerate(batches, start=resumed.step + 1):
            share = _learning_share(config, step - 1)
            scale_rates(both.made, share)
            waveform, bandwidth = fabric.to_device((stretches.waveform, stretches.bandwidth))
            made = both.model(_given(stretches, waveform))
            real, fake = (limit_bandwidth(one, bandwidth, SAMPLE_RATE) for one in (waveform, made))
            terms = _compare(config, real, fake)
            if step > config.adversarial_from:
                seen, seen_fake = _excerpt(config, step, real, fake)
                with both.teaching_critic():
                    judged = _judge(both.critic, seen, seen_fake.detach())
                    fabric.backward(judged["discriminator"])
                terms |= judged | _deceive(config, both.critic, seen, seen_fake)
            loss = terms["spectral"] + terms.get("deceit", 0.0)
            both.zero_grad()
            fabric.backward(loss)
            norm = fabric.clip_gradients(both.model, both.optimizers[0], max_norm=config.clip)
            both.step()
            update_average(both.average, both.network, decay=config.average_decay, step=step - 1)

            meter.add(loss=loss, gradient_norm=norm, **terms)
            last = step == config.steps
            if step % config.log_every == 0 or last:
                figures = meter.take() | {"learning_rate": share * config.learning_rate}
                journal.write(step, **figures, cpu_hours=effort.spent.cpu_hours)
                progress.show(step, loss=figures["loss"], mel=figures["mel"])
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
    """Train a vocoder: from log-mel spectrograms to speech (Vocos).

    It learns from any folders of speech, WAV, FLAC, OGG or MP3 at any rate; an hour of clean
    recordings is plenty. What recordings of a low rate lack at the top is not learnt from. A run
    stopped by Ctrl-C or a kill continues where the same command is repeated.

    Example:
        anamorph train vocoder --data my-voice/ --data other-voices/ --out runs/vocoder
        anamorph export runs/vocoder -o vocoder.onnx
    """
    train(config, out)


if __name__ == "__main__":
    sys.exit(cli.main(["train", RECIPE, *sys.argv[1:]]))
