"""What a pair of voice generators makes of a batch, and what discriminators say of it."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from anamorph_training.data.voices import Crops
from anamorph_training.losses import least_squares_discriminator
from anamorph_training.networks.voice_gan import VoiceJudges, VoicePair
from anamorph_training.networks.waveform_discriminators import share_right

Hide = Callable[[Tensor], Tensor]
"""Makes a mask (batch, 1, frames) for spectrograms."""


@dataclass(frozen=True)
class Undone:
    """Copies that the generators took back to the voices they are copies of.

    Attributes:
        target: float32 (batch, 80, frames), natural log of amplitude.
        source: Likewise.
    """

    target: Tensor
    source: Tensor


@dataclass(frozen=True)
class Round:
    """Both voices there and back; float32 (batch, 80, frames) each, natural log of amplitude.

    Attributes:
        converted: Sources in the target's voice.
        source_cycle: The same, back in the source's.
        returned: Targets in a source's voice.
        target_cycle: The same, back in the target's.
    """

    converted: Tensor
    source_cycle: Tensor
    returned: Tensor
    target_cycle: Tensor


def undo(pair: VoicePair, crops: Crops, hide: Hide) -> Undone:
    """Take both sides' copies back."""
    copy = crops.source_copy
    return Undone(
        pair.to_target(crops.target_copy, hide(crops.target_copy)),
        pair.to_source(copy, hide(copy), condition=crops.source_statistics),
    )


def go_round(pair: VoicePair, crops: Crops, hide: Hide, *, through: bool) -> Round:
    """Convert both sides and take them back.

    Args:
        pair: The generators.
        crops: Of both sides.
        hide: What is hidden on the way there.
        through: Let the way back teach the way there. It then learns to hide the source in what
            it makes; without, each way back learns to undo the other's conversion as it is
            ("back-translation": Sennrich et al., 2016; Lample et al., 2018).
    """
    statistics = crops.source_statistics
    converted = pair.to_target(crops.source, hide(crops.source))
    returned = pair.to_source(crops.target, hide(crops.target), condition=statistics)
    there = (converted, returned) if through else (converted.detach(), returned.detach())
    return Round(
        converted=converted,
        source_cycle=pair.to_source(there[0], condition=statistics),
        returned=returned,
        target_cycle=pair.to_target(there[1]),
    )


def judge(
    judges: VoiceJudges, crops: Crops, undone: Undone | None, made: Round
) -> dict[str, Tensor]:
    """Return the discriminators' loss, and the share that they are right about.

    What is converted is held against undone copies where there are any. Both come out of one
    generator, so nothing but the voice tells them apart; against recordings, blur would.
    """
    target, source = (undone.target, undone.source) if undone else (crops.target, crops.source)
    pairs = (
        (judges.target, target.detach(), made.converted),
        (judges.source, source.detach(), made.returned),
        (judges.target_cycle, crops.target, made.target_cycle),
        (judges.source_cycle, crops.source, made.source_cycle),
    )
    real, fake = [], []
    for critic, truth, guess in pairs:
        both = critic(torch.cat([truth, guess.detach()]))[-1]
        real.append(both[: len(truth)])
        fake.append(both[len(truth) :])
    return {
        "discriminator": least_squares_discriminator(real, fake),
        "right_answers": share_right(real, fake),
    }
