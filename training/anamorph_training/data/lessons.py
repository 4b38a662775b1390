"""What one converter makes of speech, for another one to learn."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from anamorph_training.data.disguise import add_noise
from anamorph_training.data.voices import N_MELS, Utterance
from anamorph_training.spectra import SILENCE

_REPORT_EVERY: Final = 200

Mel = NDArray[np.float16]


@dataclass(frozen=True)
class Lesson:
    """An utterance, in a voice that somebody or nobody has, and what the teacher makes of it.

    Attributes:
        given: float16 (80, frames), natural log of amplitude.
        made: Likewise, frame by frame at its time.
    """

    given: Mel
    made: Mel


@dataclass(frozen=True)
class Drawn:
    """What a step learns from.

    Attributes:
        given: float32 (batch, 80, frames), natural log of amplitude.
        made: Likewise: what the teacher makes of it.
        counts: float32 (batch, frames): 1 where a frame depends on nothing that the crop lacks.
    """

    given: Tensor
    made: Tensor
    counts: Tensor

    def to(self, device: torch.device) -> "Drawn":
        """Return the same on a device."""
        return Drawn(*(value.to(device) for value in (self.given, self.made, self.counts)))


def prepare_lessons(
    teacher: nn.Module, utterances: Sequence[Utterance], *, report: Callable[[str], None]
) -> list[Lesson]:
    """Convert utterances and their copies.

    Args:
        teacher: Maps float32 (batch, 80, frames) to the same, in evaluation mode, on the CPU.
        utterances: As `voices.prepare_voice` gives them.
        report: Told of progress, one line each.
    """
    lessons = []
    for number, one in enumerate(utterances, start=1):
        given = (one.mel, *one.copies)
        lessons += [Lesson(*pair) for pair in zip(given, convert(teacher, given), strict=True)]
        if number % _REPORT_EVERY == 0 or number == len(utterances):
            report(f"lessons ready: {number} of {len(utterances)} recordings")
    return lessons


def convert(generator: nn.Module, mels: Sequence[Mel]) -> list[Mel]:
    """Convert spectrograms of one length, each float16 (80, frames)."""
    batch = torch.from_numpy(np.stack(mels).astype(np.float32))
    with torch.inference_mode():
        made: NDArray[np.float16] = generator(batch).numpy().astype(np.float16)
    return list(made)


def draw_lessons(
    step: int,
    *,
    lessons: Sequence[Lesson],
    batch: int,
    frames: int,
    seed: int,
    noisy: float = 0.0,
    gain_db: tuple[float, float] = (0.0, 0.0),
    context: tuple[int, int] = (0, 0),
) -> Drawn:
    """Cut one batch.

    Args:
        step: Counted from 0; with the seed it decides everything.
        lessons: To choose from, each as often as it is long.
        batch: Number of crops.
        frames: Length of each; utterances that are shorter are followed by silence.
        seed: Of the run.
        noisy: Share of crops that noise is added to, of which the teacher was not told.
        gain_db: Least and greatest change of the level, of both alike: the teacher knows speech at
            one level alone.
        context: Frames before and after its own that one of the student's depends on.
    """
    generator = np.random.default_rng([seed, step])
    ends = np.cumsum([one.given.shape[1] for one in lessons])
    shape = (batch, N_MELS, frames)
    given, made = np.full(shape, SILENCE, np.float32), np.full(shape, SILENCE, np.float32)
    counts = np.zeros((batch, frames), np.float32)
    for item in range(batch):
        one = lessons[int(np.searchsorted(ends, generator.integers(ends[-1]), side="right"))]
        start = int(generator.integers(max(1, one.given.shape[1] - frames + 1)))
        cut = one.given[:, start : start + frames].astype(np.float32)
        gain = np.float32(np.log(10) / 20 * generator.uniform(*gain_db))
        if generator.random() < noisy:
            cut = add_noise(cut, generator)
        length = cut.shape[1]
        given[item, :, :length] = np.maximum(cut + gain, SILENCE)
        made[item, :, :length] = one.made[:, start : start + length] + gain
        first = context[0] if start else 0
        last = frames - context[1] if start + frames < one.given.shape[1] else length
        counts[item, first:last] = 1
    return Drawn(*(torch.from_numpy(array) for array in (given, made, counts)))
