"""Voices there and back: which half learns from what, and what discriminators compare."""

import pytest
import torch
from torch import Tensor

from anamorph_training.data.voices import STATISTICS, Crops
from anamorph_training.networks.voice_gan import VoiceJudges, VoicePair
from anamorph_training.voice_rounds import go_round, judge, undo


def pair() -> VoicePair:
    torch.manual_seed(0)
    return VoicePair(channels=8, hidden=8, blocks=1, conditions=STATISTICS)


def crops() -> Crops:
    torch.manual_seed(1)
    mels = [torch.randn(2, 80, 16) - 5 for _ in range(4)]
    return Crops(mels[0], mels[1], mels[2], mels[3], torch.zeros(2, STATISTICS))


def teach(loss: Tensor) -> None:
    loss.backward()  # type: ignore[no-untyped-call]


def nothing_hidden(mel: Tensor) -> Tensor:
    return torch.ones_like(mel[:, :1])


@pytest.mark.parametrize("through", [False, True])
def test_the_way_back_teaches_the_way_there_only_if_asked_to(through: bool) -> None:
    both = pair()
    made = go_round(both, crops(), nothing_hidden, through=through)
    teach(made.source_cycle.sum())
    assert both.to_source.last.weight.grad is not None
    assert (both.to_target.last.weight.grad is not None) is through


def test_converted_sources_still_teach() -> None:
    both = pair()
    teach(go_round(both, crops(), nothing_hidden, through=False).converted.sum())
    assert both.to_target.last.weight.grad is not None


def test_what_is_converted_is_held_against_undone_copies() -> None:
    both, given = pair(), crops()
    judges = VoiceJudges(channels=2)
    made = go_round(both, given, nothing_hidden, through=False)
    undone = undo(both, given, nothing_hidden)
    against_copies = judge(judges, given, undone, made)["discriminator"]
    against_recordings = judge(judges, given, None, made)["discriminator"]
    assert against_copies != against_recordings
    teach(against_copies)
    assert judges.target.last.bias.grad is not None
    assert both.to_target.last.weight.grad is None  # no generator learns from this loss
