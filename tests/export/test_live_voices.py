"""Live voices: taught, exported, and as far behind as their card says."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from msgspec.structs import replace
from tests.runtime.test_stream import in_blocks
from tests.training.conftest import spoken_wave

import anamorph
from anamorph.audio import Audio
from anamorph.cli import main
from anamorph.errors import InputError, ModelNotFoundError
from anamorph.loading import resolve
from anamorph.model_file import embed_card, read_model
from anamorph_export import converting
from anamorph_export.graphs import VoiceGraph
from anamorph_training.data.speech import write_wav
from anamorph_training.evaluation.unfinished import open_run
from anamorph_training.loop.checkpoints import save_checkpoint
from anamorph_training.loop.warm_start import load_weights
from anamorph_training.networks.vocos import Vocoder
from anamorph_training.onnx_weights import load_generator
from anamorph_training.recipes import cyclegan_voice, distill_voice, vocoder

TINY: dict[str, Any] = {"device": "cpu", "threads": 1, "batch": 2, "steps": 2, "frames": 16}
SMALL: dict[str, Any] = {"channels": 16, "hidden": 16, "blocks": 1}
TINY |= {"tensorboard": False, **SMALL}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    for seed in range(3):
        write_wav(folder / f"{seed}.wav", spoken_wave(seed, seconds=0.8), 22050)
    return folder


def test_both_parts_of_a_converter_come_back_from_its_file() -> None:
    speaker = Vocoder().eval()
    assert load_weights(speaker, Path("nathalie")) == []
    graph = VoiceGraph(load_generator("nathalie"), speaker).eval()
    sound = spoken_wave(1, seconds=0.5).astype(np.float32)
    with torch.inference_mode():
        mine = graph(torch.from_numpy(sound)[None])[0].numpy()
    theirs = anamorph.load("nathalie", device="cpu").convert(Audio(sound, 22050), gain_db=0)
    assert np.abs(mine - theirs.samples).max() < 1e-4


@pytest.mark.slow
def test_a_live_voice_is_behind_by_what_it_was_trained_for(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(converting, "GREATEST_DISTANCE_SHARE", 1e6)
    place = data.parent
    live, speaker, file = place / "live", place / "speaker", place / "live.onnx"
    other = place / "other"
    other.mkdir()
    for seed in (7, 8):
        write_wav(other / f"{seed}.wav", spoken_wave(seed, seconds=0.8), 22050)
    options: dict[str, Any] = {"teacher": Path("nathalie"), "variants": 0, "look_ahead": 1}
    distill_voice.train(
        distill_voice.Config(**TINY, **options, source=(other,), target=(data,)), live
    )
    pytest.importorskip("pyworld", reason="the extra evaluate is not installed")
    vocoder.train(vocoder.Config(**TINY, data=(data,), voice=live, look_ahead=2), speaker)
    arguments = ["export", str(live), "-o", str(file), "--vocoder", str(speaker)]
    assert main([*arguments, "--direction", "source"]) == 1
    assert "--direction: is for runs of cyclegan_voice" in capsys.readouterr().err
    assert main(arguments) == 0
    card = read_model(resolve(file)).card
    assert card.context_after == 1023 + 256 * 3
    assert card.context_before == 1023 + 256 * (2 + 4 + 2 + 3 + 3)
    assert card.provenance is not None
    assert card.provenance.recipe == "distill_voice"
    assert card.provenance.voice is not None
    assert card.provenance.voice.recipe == "cyclegan_voice"
    voice = anamorph.load(file, device="cpu")
    audio = Audio(spoken_wave(5, seconds=0.5), 22050)
    made = in_blocks(voice.stream(), audio.samples, [999])
    assert np.abs(made - voice.convert(audio, gain_db=0).samples).max() <= 1e-4
    assert voice.stream().delays["model"] == pytest.approx((1023 + 256 * 3) / 22050)
    assert load_generator(str(file)).context_after == 1  # it can teach in turn


def test_a_converter_is_a_start_of_cycles_and_of_lessons(data: Path) -> None:
    shape: dict[str, Any] = {"channels": 160, "hidden": 160, "blocks": 2}
    teacher = load_generator("nathalie").state_dict()
    pair = cyclegan_voice.build(cyclegan_voice.Config(source=(data,), target=(data,), **shape))
    fresh = load_weights(pair, Path("nathalie"))
    assert all(name.startswith("to_source.") for name in fresh)
    student = distill_voice.build(
        distill_voice.Config(teacher=data, source=(data,), target=(data,), look_ahead=1, **shape)
    )
    assert load_weights(student, Path("nathalie")) == []
    for network in (pair.to_target, student):
        mine = network.state_dict()
        assert torch.equal(mine["blocks.1.widen.weight"], teacher["blocks.1.widen.weight"])
    taps = student.state_dict()["blocks.1.depthwise.weight"]
    assert torch.equal(taps, teacher["blocks.1.depthwise.weight"][..., : taps.shape[2]])


def test_runs_of_cycles_and_of_lessons_are_starts_of_each_other(data: Path) -> None:
    pair = cyclegan_voice.build(cyclegan_voice.Config(source=(data,), target=(data,), **SMALL))
    student = distill_voice.build(
        distill_voice.Config(teacher=data, source=(data,), target=(data,), **SMALL)
    )
    save_checkpoint(data.parent / "cycles", 1, {"average": pair.state_dict()})
    assert load_weights(student, data.parent / "cycles") == []
    save_checkpoint(data.parent / "lessons", 1, {"average": student.state_dict()})
    fresh = load_weights(pair, data.parent / "lessons")
    # Taps ahead are not there to be taken over.
    assert {name for name in fresh if name.startswith("to_target.")} == {
        "to_target.blocks.0.depthwise.weight",
        "to_target.last.weight",
    }


def test_another_teacher_is_refused(data: Path) -> None:
    options: dict[str, Any] = {"variants": 0, "source": (data,), "target": (data,)}
    config = distill_voice.Config(**TINY, **options, teacher=Path("nathalie"))
    distill_voice.train(config, data.parent / "run")
    other = data.parent / "other.onnx"
    model = read_model(resolve("nathalie"))
    other.write_bytes(embed_card(model.data, replace(model.card, model_version=9)))
    longer = dataclasses.replace(config, teacher=other)
    with pytest.raises(InputError, match="its --teacher has changed since it began"):
        distill_voice.train(longer, data.parent / "run")


def test_a_live_voice_is_not_exported_with_a_vocoder_that_looks_far_ahead(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options: dict[str, Any] = {"variants": 0, "source": (data,), "target": (data,)}
    distill_voice.train(
        distill_voice.Config(**TINY, **options, teacher=Path("nathalie")), data.parent / "run"
    )
    assert main(["export", str(data.parent / "run"), "-o", str(data.parent / "live.onnx")]) == 1
    assert "is a live voice, and vocoder-22k looks far ahead" in capsys.readouterr().err
    audio = Audio(spoken_wave(5, seconds=0.5), 22050)
    heard = open_run(data.parent / "run", "vocoder-22k")(audio)  # as evaluate does
    assert heard.samples.shape == audio.samples.shape


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("vocoder-22k", InputError, "vocoder-22k: is no voice converter that was trained here"),
        ("photo-x4", InputError, "photo-x4: is no voice converter that was trained here"),
        ("nowhere", ModelNotFoundError, "nowhere"),
    ],
)
def test_what_is_no_teacher(name: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        load_generator(name)
