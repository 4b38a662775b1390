"""The gate of voice converters: one graph from waveform to waveform, and its faults."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from msgspec.structs import replace
from tests.export.voices import small_generator, small_vocoder, sounds
from torch import Tensor

from anamorph.audio import Audio
from anamorph.card import Card
from anamorph.errors import InputError
from anamorph.loading import load
from anamorph.model_file import embed_card
from anamorph_export import converting
from anamorph_export.converting import ConditionedGenerator
from anamorph_export.deploying import Identity
from anamorph_export.gate import GateError
from anamorph_export.graphs import VoiceGraph
from anamorph_export.vocoding import analyse, check_context
from anamorph_training.data.voices import statistics_of
from anamorph_training.networks.voice_gan import VoiceGenerator, VoicePair

IDENTITY = Identity(name="tiny-voice", licence="CC0-1.0")
FRAMES = 4 + 4 + 3 + 3  # edges and block of the generator, edge and block of the vocoder


def deploy(target: Path, generator: Any = None, **options: Any) -> Card:
    return converting.deploy_converter(
        generator or small_generator(),
        small_vocoder(),
        target,
        identity=IDENTITY,
        source=sounds(2, seconds=1.5),
        wanted=sounds(2, seed=7),
        **options,
    )


@pytest.fixture
def easily_pleased(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(converting, "GREATEST_DISTANCE_SHARE", 1e6)


@pytest.mark.usefixtures("easily_pleased")
def test_a_converter_passes_and_runs(tmp_path: Path) -> None:
    passed: list[str] = []
    file = tmp_path / "tiny.onnx"
    card = deploy(file, report=lambda finding: passed.append(finding.check))
    assert passed == [
        *("network", "determinism", "analysis", "rounding", "graph", "parity", "context"),
        *("files", "quality", "runtime"),
    ]
    assert card.context_before == card.context_after == 1023 + 256 * FRAMES
    assert (card.alignment, card.sample_rate) == (256, 22050)
    converter = load(file, device="cpu")
    for samples in (1, 255, 256, 257, 9999):
        audio = Audio(np.random.default_rng(0).normal(0, 0.05, samples), 22050)
        whole = converter.convert(audio)
        assert len(whole.samples) == samples
        chunked = converter.convert(audio, chunk=2 * (1023 + 256 * FRAMES) + 700)
        assert np.abs(chunked.samples - whole.samples).max() <= 1e-4


@pytest.mark.usefixtures("easily_pleased")
def test_the_way_back_is_told_whose_voice_is_wanted(tmp_path: Path) -> None:
    generator = small_generator(conditions=160)
    conditioned = ConditionedGenerator(generator, torch.ones(160))
    deploy(tmp_path / "back.onnx", conditioned)
    mel = torch.randn(2, 80, 9) - 5
    with torch.no_grad():
        told = generator(mel, condition=torch.ones(2, 160))
        assert torch.equal(conditioned(mel), told)
        assert not torch.allclose(told, generator(mel, condition=torch.zeros(2, 160)))


def test_the_way_back_is_judged_by_other_recordings_than_it_is_told_of(tmp_path: Path) -> None:
    pair = VoicePair(channels=16, hidden=16, blocks=1, conditions=160).eval()
    given = sounds(5)
    conditioned, judges = converting.way_back(pair, given, tmp_path)
    assert [id(one) for one in judges] == [id(given[1]), id(given[3])]
    told = [statistics_of(analyse(sound)) for sound in given[::2]]
    assert np.allclose(conditioned.condition[0], np.mean(told, axis=0), atol=1e-6)
    with pytest.raises(InputError, match=r"kept one recording of the source"):
        converting.way_back(pair, given[:1], tmp_path)


def test_a_voice_that_does_not_change_is_refused_and_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(GateError, match=r"quality: the average spectrum"):
        deploy(tmp_path / "tiny.onnx")
    assert list(tmp_path.iterdir()) == []


def test_statistics_over_time_are_refused(tmp_path: Path) -> None:
    class Global(VoiceGenerator):
        def forward(
            self, mel: Tensor, mask: Tensor | None = None, condition: Tensor | None = None
        ) -> Tensor:
            return super().forward(mel) + 0.1 * mel.mean(2, keepdim=True)

    torch.manual_seed(0)
    network = Global(channels=16, hidden=16, blocks=1).eval()
    with pytest.raises(GateError, match=r"context: an output depends on"):
        deploy(tmp_path / "tiny.onnx", network)


def test_a_false_alignment_or_context_is_refused(tmp_path: Path) -> None:
    parts = small_generator(), small_vocoder()
    graph = VoiceGraph(*parts)
    truth = converting.converter_card(*parts, IDENTITY, None)
    data, file = converting.converter_onnx(graph), tmp_path / "tiny.onnx"
    lie = replace(truth, alignment=100)
    file.write_bytes(embed_card(data, lie))
    with pytest.raises(GateError, match="files: the runtime's sound, in chunks, differs"):
        converting.check_files(file, graph, sounds(1, seconds=2))
    assert truth.context_before is not None
    lie = replace(truth, context_before=truth.context_before - 1)
    file.write_bytes(embed_card(data, lie))
    with pytest.raises(GateError, match="they must be equal"):
        check_context(file, lie)


def test_recordings_are_asked_for(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no held-out recordings"):
        converting.deploy_converter(
            small_generator(),
            small_vocoder(),
            tmp_path / "a.onnx",
            identity=IDENTITY,
            source=[],
            wanted=sounds(1),
        )
