"""The voices of a conversion run: spectrograms of recordings and of their perturbed copies."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anamorph.card import Dataset
from anamorph.errors import InputError
from anamorph_training.data.arrays import map_array, save_array
from anamorph_training.data.disguise import add_noise, transplant
from anamorph_training.data.perturbation import Copy, prepare_copies
from anamorph_training.data.recordings import (
    Recording,
    held_out,
    prepare_recordings,
    recordings_digest,
)
from anamorph_training.data.speech import save_held
from anamorph_training.networks.voice_gan import CENTRE, SPREAD
from anamorph_training.spectra import SILENCE, log_mel

SAMPLE_RATE: Final = 22_050  # Hz
HOP: Final = 256
N_MELS: Final = 80
STATISTICS: Final = 2 * N_MELS  # mean and spread of every band
_CACHE_VERSION: Final = 1
_MASKS: Final = 1  # stream of a step's random numbers; stream 0 chose its crops
_MOST_HELD: Final = 8

Mel = NDArray[np.float16]


@dataclass(frozen=True)
class Utterance:
    """One recording as a spectrogram.

    Attributes:
        mel: float16 (80, frames), natural log of amplitude, memory-mapped.
        copies: Of the same shape: the same words at the same time in voices that nobody has.
        statistics: float32 (160,): mean and spread of each band over the recording, scaled.
        recording: Where it comes from.
        shifts: float64 (copies,), of each copy the natural log of its pitch over its recording's.
    """

    mel: Mel
    copies: tuple[Mel, ...]
    statistics: NDArray[np.float32]
    recording: Recording
    shifts: NDArray[np.float64]


@dataclass(frozen=True)
class Voice:
    """All that is known of one side of a conversion.

    Attributes:
        training: Utterances to learn from.
        held: Utterances that are only measured.
        dataset: The first, as a card names them.
    """

    training: list[Utterance]
    held: list[Utterance]
    dataset: Dataset


def prepare_voice(
    files: Sequence[Path],
    *,
    variants: int,
    cache: Path,
    name: str,
    licence: str,
    report: Callable[[str], None],
    check: Callable[[Sequence[Recording]], None] = lambda recordings: None,
) -> Voice:
    """Decode, perturb and analyse recordings, or find it done; hold every 20th out.

    Args:
        files: Recordings.
        variants: Perturbed copies of each; 0 for none.
        cache: Folder for what is made of them.
        name: Of the data set, for the card.
        licence: Of the data set, for the card.
        report: Told of progress and of each recording left out, one line each.
        check: Shown the recordings before anything is made of them; raises what it likes.

    Raises:
        InputError: Fewer than two recordings can be used, or ``check`` refuses them.
        OutputError: The cache's folder cannot be made.
        UnavailableError: Copies are asked for, and pyworld is not installed.
    """
    recordings = prepare_recordings(files, sample_rate=SAMPLE_RATE, cache=cache, report=report)
    if len(recordings) < 2:
        raise InputError(
            f"{files[0].parent}: holds fewer than two recordings that can be used, and one must be "
            "held out; give more"
        )
    check(recordings)
    copies: list[list[Copy]] = [[] for _ in recordings]
    if variants:
        copies = prepare_copies(
            recordings, sample_rate=SAMPLE_RATE, variants=variants, cache=cache, report=report
        )
    utterances = [_analyse(one, made, cache) for one, made in zip(recordings, copies, strict=True)]
    count = len(utterances)
    held = held_out(count)
    training = [one for index, one in enumerate(utterances) if index not in held]
    chosen = [utterances[index] for index in held]
    dataset = Dataset(
        name=name,
        licence=licence,
        digest=recordings_digest([one.recording.source for one in training]),
        items=len(training),
    )
    return Voice(training, chosen[:: max(1, len(chosen) // _MOST_HELD)][:_MOST_HELD], dataset)


def save_held_voices(run: Path, source: Voice, target: Voice) -> None:
    """Write the held-out recordings of both sides into a run, where export finds them."""
    for voice, kind in ((source, ""), (target, "target-")):
        held = [one.recording for one in voice.held]
        sounds = [one.cut(0, len(one.samples)) for one in held]
        save_held(run, sounds, SAMPLE_RATE, kind=kind)


def statistics_of(mel: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return mean and spread of each band of a log-mel spectrogram: float32 (160,), near 0."""
    scaled = (mel.astype(np.float32) - CENTRE) / SPREAD
    return np.concatenate([scaled.mean(1), scaled.std(1) - 1]).astype(np.float32)


def unscaled(statistics: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what `statistics_of` scaled: float32 (2, 80), mean and spread of each band."""
    mean, spread = statistics.reshape(2, N_MELS)
    return np.stack([mean * SPREAD + CENTRE, (spread + 1) * SPREAD])


@dataclass(frozen=True)
class Disguise:
    """How copies are disguised further when they are drawn.

    Attributes:
        transplanted: Share of them that take on the average spectrum of an utterance of the other
            side, wholly or in part.
        noisy: Share of them that noise is added to.
        far: Power of its shift in pitch that a copy's chance to be drawn is proportional to. The
            network cannot know the shift, so it guesses one between what it hears and the
            voice's own pitch; the farther copies are, the nearer to the latter.
    """

    transplanted: float = 0.0
    noisy: float = 0.0
    far: float = 0.0


@dataclass(frozen=True)
class Crops:
    """What a step learns from; each float32 (batch, 80, frames), natural log of amplitude.

    Attributes:
        target: Of the voice that is wanted.
        target_copy: The same in another voice, at the same time.
        source: Of the voices that will be converted.
        source_copy: The same in another voice, at the same time.
        source_statistics: float32 (batch, 160), of the utterances of ``source``.
    """

    target: Tensor
    target_copy: Tensor
    source: Tensor
    source_copy: Tensor
    source_statistics: Tensor

    def to(self, device: torch.device) -> "Crops":
        """Return the same on a device."""
        return Crops(**{name: value.to(device) for name, value in vars(self).items()})


def draw_crops(
    step: int,
    *,
    source: Voice,
    target: Voice,
    batch: int,
    frames: int,
    seed: int,
    disguise: Disguise = Disguise(),
) -> Crops:
    """Cut one batch from both voices.

    Args:
        step: Counted from 0; with the seed it decides everything.
        source: Each utterance is drawn as often as it is long.
        target: Likewise.
        batch: Crops of each.
        frames: Length of a crop; utterances that are shorter are followed by silence.
        seed: Of the run.
        disguise: Of the copies.
    """
    generator = np.random.default_rng([seed, step])
    cut = _Cutter(batch, frames, disguise, generator)
    wanted, wanted_copy, _ = cut.draw(target.training, source.training)
    given, given_copy, statistics = cut.draw(source.training, target.training)
    return Crops(wanted, wanted_copy, given, given_copy, statistics)


def draw_mask(step: int, *, like: Tensor, greatest_share: float, seed: int) -> Tensor:
    """Return a mask that hides one stretch of each crop, for a generator to fill in.

    Args:
        step: Counted as the recipe likes; with the seed it decides everything.
        like: float32 (batch, 80, frames).
        greatest_share: Of the frames that may be hidden.
        seed: Of the run.

    Returns:
        float32 (batch, 1, frames), 0 where hidden and 1 elsewhere, where ``like`` is.
    """
    generator = np.random.default_rng([seed, step, _MASKS])
    frames = like.shape[2]
    mask = torch.ones(len(like), 1, frames)
    for row in mask:
        length = int(generator.integers(int(greatest_share * frames) + 1))
        start = int(generator.integers(frames - length + 1))
        row[:, start : start + length] = 0
    return mask.to(like.device)


@dataclass(frozen=True)
class _Cutter:
    batch: int
    frames: int
    disguise: Disguise
    generator: np.random.Generator

    def draw(
        self, utterances: Sequence[Utterance], others: Sequence[Utterance]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Cut crops of utterances and, at the same time, of copies that look like ``others``."""
        ends = np.cumsum([one.mel.shape[1] for one in utterances])
        shape = (self.batch, N_MELS, self.frames)
        mels, copies = np.full(shape, SILENCE, np.float32), np.full(shape, SILENCE, np.float32)
        statistics = np.empty((self.batch, STATISTICS), np.float32)
        for item in range(self.batch):
            drawn = self.generator.integers(ends[-1])
            one = utterances[int(np.searchsorted(ends, drawn, side="right"))]
            start = int(self.generator.integers(max(1, one.mel.shape[1] - self.frames + 1)))
            cut = one.mel[:, start : start + self.frames]
            mels[item, :, : cut.shape[1]] = cut
            copies[item, :, : cut.shape[1]] = self._disguised(one, start, others)
            statistics[item] = one.statistics
        return torch.from_numpy(mels), torch.from_numpy(copies), torch.from_numpy(statistics)

    def _disguised(
        self, one: Utterance, start: int, others: Sequence[Utterance]
    ) -> NDArray[np.float32]:
        """Cut a copy of an utterance; the utterance itself where it has none."""
        generator = self.generator
        if not one.copies:
            return one.mel[:, start : start + self.frames].astype(np.float32)
        copy = one.copies[self._choose(one)]
        cut = copy[:, start : start + self.frames].astype(np.float32)
        if generator.random() < self.disguise.transplanted:
            other = others[int(generator.integers(len(others)))]
            own = unscaled(statistics_of(copy))
            cut = transplant(cut, own, unscaled(other.statistics), generator.random())
        if generator.random() < self.disguise.noisy:
            cut = add_noise(cut, generator)
        return cut

    def _choose(self, one: Utterance) -> int:
        """Return which copy of an utterance to draw."""
        if not self.disguise.far:
            return int(self.generator.integers(len(one.copies)))
        chances = np.maximum(np.abs(one.shifts), 1e-3) ** self.disguise.far
        return int(self.generator.choice(len(chances), p=chances / chances.sum()))


def _analyse(recording: Recording, copies: Sequence[Copy], cache: Path) -> Utterance:
    mel = _mel(recording, cache)
    shifts = np.log([copy.change.pitch for copy in copies])
    others = tuple(_mel(copy.recording, cache) for copy in copies)
    return Utterance(mel, others, statistics_of(mel), recording, shifts)


def _mel(recording: Recording, cache: Path) -> Mel:
    digest = hashlib.sha256(recording.samples.tobytes()).hexdigest()
    key = f"{_CACHE_VERSION}\0{digest}\0mel"
    file = cache / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.mel.npy"
    if not file.exists():
        whole = recording.cut(0, len(recording.samples) // HOP * HOP)
        mel = log_mel(torch.from_numpy(whole)[None])[0]
        save_array(file, mel.numpy().astype(np.float16))
    return map_array(file)
