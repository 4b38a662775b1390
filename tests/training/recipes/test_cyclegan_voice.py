"""The recipe of voices: copies first, then cycles, as the zoo's voices were trained."""

from pathlib import Path

import pytest
import torch
from tests.training.recipes.test_contract import (
    assert_same_state,
    configure,
    make_recordings,
    train_until_17,
)
from torch import Tensor

from anamorph_training import voice_rounds
from anamorph_training.data.voices import Crops
from anamorph_training.loop.journal import read_metrics
from anamorph_training.loop.run_folder import settings
from anamorph_training.networks.voice_gan import VoiceJudges
from anamorph_training.rebuilding import rebuild
from anamorph_training.recipes import cyclegan_voice
from anamorph_training.recipes.cyclegan_voice import Config
from anamorph_training.voice_rounds import Round, Undone


def rates(**changes: int) -> list[float]:
    config = Config(source=(Path("a"),), target=(Path("b"),), **changes)  # type: ignore[arg-type]
    return [cyclegan_voice._learning_share(config, step) for step in range(config.steps)]


def test_one_run_has_the_learning_rates_of_the_two_that_made_the_zoo() -> None:
    start, cycles = rates(steps=7000, start_steps=7000), rates(steps=3000, start_steps=0)
    assert rates() == pytest.approx(start + cycles)
    assert (start[-1], max(cycles)) == pytest.approx((0.3, 1.0))


def test_what_samples_are_heard_through_decides_no_run() -> None:
    config = Config(source=(Path("a"),), target=(Path("b"),), vocoder="https://here/v.onnx")
    assert str(config.vocoder) == "https://here/v.onnx"
    kept = settings(config)
    assert "vocoder" not in kept
    assert rebuild("cyclegan_voice", kept | {"vocoder": "vocoder-22k"})  # as runs of old have it


def test_copies_teach_first_and_what_is_converted_is_held_against_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pyworld", reason="the extra evaluate is not installed")
    make_recordings(tmp_path / "data", 4)
    steps = {"start_steps": 20, "steps": 30, "sample_every": 30}
    config = configure("cyclegan_voice", tmp_path / "data", variants=1, **steps)
    held_against: list[Undone | None] = []

    def judge(
        judges: VoiceJudges, crops: Crops, undone: Undone | None, made: Round
    ) -> dict[str, Tensor]:
        held_against.append(undone)
        assert not torch.equal(crops.target, crops.target_copy)
        return voice_rounds.judge(judges, crops, undone, made)

    monkeypatch.setattr(cyclegan_voice, "judge", judge)
    cyclegan_voice.train(config, tmp_path / "unbroken")
    assert len(held_against) == 10
    assert None not in held_against
    rows = [row for row in read_metrics(tmp_path / "unbroken") if "loss" in row]
    assert [row["step"] for row in rows if "undone" in row] == [5, 10, 15, 20, 25, 30]
    assert [row["step"] for row in rows if "discriminator" in row] == [25, 30]
    heard = [f"000000030-0-{what}.wav" for what in ("back", "converted", "source")]
    samples = sorted(path.name for path in (tmp_path / "unbroken/samples").iterdir())
    assert samples == sorted([*heard, "000000030.png"])
    train_until_17(cyclegan_voice, config, tmp_path / "broken", monkeypatch)
    cyclegan_voice.train(config, tmp_path / "broken")
    assert_same_state(tmp_path / "unbroken", tmp_path / "broken")
