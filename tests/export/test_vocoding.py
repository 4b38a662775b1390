"""The gate of vocoders: a sound one passes, and each planted fault is refused."""

from dataclasses import replace as changed
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from msgspec.structs import replace
from tests.export.voices import small_vocoder, sounds

from anamorph import card as cards
from anamorph.errors import InputError, OutputError
from anamorph.loading import load
from anamorph.model_file import embed_card, read_card
from anamorph_export import vocoding
from anamorph_export.deploying import Identity
from anamorph_export.gate import GateError
from anamorph_export.graphs import VocoderGraph
from anamorph_training.networks.vocos import Vocoder
from anamorph_training.onnx_weights import fill, read_weights

IDENTITY = Identity(name="tiny-vocoder", licence="CC0-1.0")


@pytest.fixture
def easily_pleased(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare with a baseline that even an untrained vocoder beats."""
    noise = np.random.default_rng(0).normal(0, 50, 10**6).astype(np.float32)
    monkeypatch.setattr(vocoding, "griffin_lim", lambda mel: noise[: mel.shape[1] * 256])


def deploy(target: Path, network: Vocoder | None = None, **options: Any) -> cards.Card:
    given = network or small_vocoder()
    return vocoding.deploy_vocoder(given, target, identity=IDENTITY, held=sounds(2), **options)


@pytest.mark.usefixtures("easily_pleased")
def test_a_vocoder_passes_and_runs(tmp_path: Path) -> None:
    passed: list[str] = []
    file = tmp_path / "tiny.onnx"
    card = deploy(file, report=lambda finding: passed.append(finding.check))
    assert passed == [
        *("network", "determinism", "rounding", "graph", "parity", "context", "chunks"),
        *("quality", "runtime"),
    ]
    assert (card.task, card.role, card.hop_length) == ("vocode", "vocoder", 256)
    assert card.context_before == 3 + 3 + 2  # the first convolution, one block, the window
    assert file.stat().st_size < 2 * sum(p.numel() for p in small_vocoder().parameters()) + 50_000
    mel = vocoding.analyse(sounds(1)[0])
    made = load(file, device="cpu").synthesize(mel).samples
    with torch.no_grad():
        expected = small_vocoder()(torch.from_numpy(mel)[None])[0].numpy()
    assert np.abs(made - expected).max() < 0.02 * np.abs(expected).max()
    assert read_card(file).gate is not None


@pytest.mark.usefixtures("easily_pleased")
def test_recordings_too_short_to_compare_are_left_out(tmp_path: Path) -> None:
    found: dict[str, str] = {}
    options: dict[str, Any] = {"identity": IDENTITY, "held": [sounds(1)[0][:511], *sounds(2)]}
    vocoding.deploy_vocoder(
        small_vocoder(),
        tmp_path / "tiny.onnx",
        report=lambda finding: found.update({finding.check: finding.found}),
        **options,
    )
    assert found["quality"].endswith("of 2 recordings")
    options["held"] = options["held"][:1]
    with pytest.raises(InputError, match="512 samples or more"):
        vocoding.deploy_vocoder(small_vocoder(), tmp_path / "none.onnx", **options)


def test_the_weights_can_be_read_back() -> None:
    weights = read_weights(vocoding.vocoder_onnx(VocoderGraph(small_vocoder())))
    network = small_vocoder(seed=5)
    fill(network, weights, prefix="vocoder.", name="tiny")
    for mine, theirs in zip(network.parameters(), small_vocoder().parameters(), strict=True):
        assert torch.allclose(mine, theirs, rtol=1e-3, atol=1e-6)
    del weights["vocoder.head.bias"]
    with pytest.raises(InputError, match=r"tiny: holds no weight 'head\.bias'"):
        fill(network, weights, prefix="vocoder.", name="tiny")


def test_an_untrained_vocoder_is_refused_and_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(GateError, match=r"quality: .*Griffin-Lim's .*train longer"):
        deploy(tmp_path / "tiny.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_false_context_is_refused(tmp_path: Path) -> None:
    graph = VocoderGraph(small_vocoder())
    truth = vocoding.vocoder_card(graph.vocoder, IDENTITY, None)
    data, file = vocoding.vocoder_onnx(graph), tmp_path / "tiny.onnx"
    for change in ({"context_before": 7}, {"context_after": 9}):
        card = replace(truth, **change)
        file.write_bytes(embed_card(data, card))
        with pytest.raises(GateError, match="they must be equal"):
            vocoding.check_context(file, card)
    card = replace(truth, context_before=1, context_after=1)
    file.write_bytes(embed_card(data, card))
    with pytest.raises(GateError, match="chunks: the runtime's sound differs"):
        vocoding.check_chunks(file, graph, [vocoding.analyse(sounds(1, seconds=2)[0])])


def test_weights_that_float16_ruins_are_refused(tmp_path: Path) -> None:
    network = small_vocoder()
    with torch.no_grad():
        network.head.weight.mul_(1e-5)
        network.last_norm.weight.mul_(1e5)
    with pytest.raises(GateError, match=r"rounding: weights as float16"):
        deploy(tmp_path / "tiny.onnx", network)


def test_what_is_missing_or_in_the_way_is_said_first(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no held-out recordings"):
        vocoding.deploy_vocoder(
            small_vocoder(), tmp_path / "a.onnx", identity=changed(IDENTITY), held=[]
        )
    (tmp_path / "a.onnx").write_bytes(b"mine")
    with pytest.raises(OutputError, match="exists and is kept"):
        deploy(tmp_path / "a.onnx")
    assert (tmp_path / "a.onnx").read_bytes() == b"mine"
