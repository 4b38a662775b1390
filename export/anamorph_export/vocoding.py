"""Lead a trained vocoder through the gate into a file, or leave no file."""

import copy
import datetime
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from msgspec.structs import replace
from numpy.typing import NDArray
from torch import nn

from anamorph.card import Card, Metric, Provenance
from anamorph.errors import InputError
from anamorph.model_file import embed_card
from anamorph.vocoder import Vocoder as RuntimeVocoder
from anamorph_export import gate
from anamorph_export.deploying import Identity, Report, check_final, check_target, write_model
from anamorph_export.exporting import MINIMUM_ONNXRUNTIME, to_onnx
from anamorph_export.gate import Finding, Floats, GateError
from anamorph_export.graphs import VocoderGraph, mel_port, waveform_port
from anamorph_export.simplifying import round_to_half
from anamorph_training.data.voices import HOP, SAMPLE_RATE
from anamorph_training.griffin_lim import griffin_lim
from anamorph_training.networks.vocos import Vocoder
from anamorph_training.spectra import log_mel
from anamorph_training.spectral_losses import spectral

# Root mean square of what rounded weights change, as a share of the sound's.
ROUNDING_TOLERANCE: Final = 0.02
# Of samples, as a share of full scale: chunks and files against PyTorch.
SAMPLE_TOLERANCE: Final = 1e-4
# Trained vocoders come to half of Griffin-Lim's log-mel error; untrained ones to several times it.
GREATEST_SHARE_OF_BASELINE: Final = 0.8
_SHORTEST: Final = 512  # samples of a recording whose spectra can be compared
_WINDOW_FRAMES: Final = 2  # frames on each side of its own that a sample is added up from
_HOLDOUT: Final = "held-out recordings"
_FULL_RANGE: Final = 2.0  # from -1 to 1

Sounds = Sequence[NDArray[np.float32]]


def deploy_vocoder(
    network: Vocoder,
    target: Path,
    *,
    identity: Identity,
    provenance: Provenance | None = None,
    held: Sounds,
    force: bool = False,
    report: Report = lambda finding: None,
) -> Card:
    """Export a vocoder, gate it and write it.

    Args:
        network: In evaluation mode.
        target: File to write; a temporary file beside it is renamed at the very end.
        identity: Name, version and licence.
        provenance: How the weights came to be.
        held: float32 (samples,) each, recordings that were not trained on, at 22.05 kHz; those
            shorter than 512 samples are left out.
        force: Replace an existing file.
        report: Told of each check that is passed.

    Returns:
        The card as written.

    Raises:
        GateError: A check failed; nothing was written.
        InputError: No recording is given, or none that is long enough.
        OutputError: The target is refused.
    """
    check_target(target, force=force)
    held = [sound for sound in held if len(sound) >= _SHORTEST]
    if not held:
        raise InputError(
            f"no held-out recordings of {_SHORTEST} samples or more are given; quality cannot be "
            "checked without: train on longer ones"
        )
    mels = [analyse(sound) for sound in held]
    trained = VocoderGraph(network)
    report(gate.check_network(trained))
    report(gate.check_determinism(trained, torch.from_numpy(_pair(mels[0]))))
    rounded_network = copy.deepcopy(network)
    round_to_half(rounded_network)
    rounded = VocoderGraph(rounded_network)
    report(check_rounding(trained, rounded, mels[0][None]))
    data, card = gate_sound(
        rounded,
        vocoder_onnx(rounded),
        vocoder_card(network, identity, provenance),
        [*unseen_mels(), mels[0][None]],
        check_runtime=lambda file: check_chunks(file, rounded, mels),
        check_quality=lambda file: check_quality(file, held),
        report=report,
    )
    write_model(target, data, force=force)
    return card


def analyse(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the log-mel spectrogram of whole frames of a sound: float32 (80, frames)."""
    whole = sound[: len(sound) // HOP * HOP]
    mel: NDArray[np.float32] = log_mel(torch.from_numpy(whole)[None])[0].numpy()
    return mel


def vocoder_card(network: Vocoder, identity: Identity, provenance: Provenance | None) -> Card:
    """Describe a vocoder before it is gated."""
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    return Card(
        name=identity.name,
        model_version=identity.model_version,
        task="vocode",
        role="vocoder",
        description=identity.description or "Turns log-mel spectrograms into speech.",
        inputs=(mel_port("mel", network.n_mels),),
        outputs=(waveform_port("waveform"),),
        licence=identity.licence,
        attribution=identity.attribution,
        sample_rate=SAMPLE_RATE,
        hop_length=network.hop_length,
        context_before=network.context_before + _WINDOW_FRAMES,
        context_after=network.context_after + _WINDOW_FRAMES,
        provenance=replace(provenance, date=provenance.date or today) if provenance else None,
        minimum_onnxruntime=MINIMUM_ONNXRUNTIME,
    )


def vocoder_onnx(graph: VocoderGraph) -> bytes:
    """Return the graph as the bytes of an ONNX file without a card."""
    example = torch.randn(2, graph.vocoder.n_mels, 33, generator=torch.Generator().manual_seed(0))
    model = to_onnx(graph, {"mel": example}, ["waveform"], axes={"mel": {0: "batch", 2: "frames"}})
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def gate_sound(
    reference: nn.Module,
    data: bytes,
    draft: Card,
    batches: Sequence[Floats],
    *,
    check_runtime: Callable[[Path], Finding],
    check_quality: Callable[[Path], tuple[Finding, tuple[Metric, ...]]],
    report: Report,
) -> tuple[bytes, Card]:
    """Put an exported graph that makes sound through every check of its file.

    Args:
        reference: The same graph in PyTorch.
        data: The ONNX file, without a card.
        draft: The card that it claims.
        batches: Unseen inputs of several sizes and batch sizes.
        check_runtime: Of a file, against PyTorch.
        check_quality: Of a file, on what was held out.
        report: Told of each check that is passed.

    Returns:
        The file with its final card, and the card.

    Raises:
        GateError: A check failed.
    """
    report(gate.check_graph(data))
    run = gate.open_run(data)
    finding, result = gate.check_parity(reference, run, batches, output_range=_FULL_RANGE)
    report(finding)
    with tempfile.TemporaryDirectory(prefix="anamorph-export-") as folder:
        file = Path(folder) / "candidate.onnx"
        file.write_bytes(embed_card(data, draft))
        report(check_context(file, draft))
        report(check_runtime(file))
        finding, metrics = check_quality(file)
        report(finding)
        card = replace(draft, gate=result, metrics=metrics)
        return check_final(embed_card(data, card), Path(folder), report)


def unseen_mels() -> list[Floats]:
    """Return noisy spectrograms of several lengths and batch sizes: float32 (b, 80, frames)."""
    generator = np.random.default_rng(20_000)
    shapes = ((1, 1), (1, 2), (2, 7), (3, 40), (1, 333))
    return [generator.normal(-5, 2, (b, 80, n)).astype(np.float32) for b, n in shapes]


def check_rounding(trained: nn.Module, rounded: nn.Module, batch: Floats) -> Finding:
    """Refuse a network whose sound float16 weights change audibly."""
    expected, got = (gate.answer(one, batch) for one in (trained, rounded))
    error = float(np.sqrt(np.mean((got - expected) ** 2) / max(np.mean(expected**2), 1e-12)))
    if not error <= ROUNDING_TOLERANCE:
        raise GateError(
            f"rounding: weights as float16 change the sound by {error:.2g} of its root mean "
            f"square, {ROUNDING_TOLERANCE:g} is allowed; train with a lower learning rate"
        )
    return Finding("rounding", f"{error:.1e} of the sound", f"at most {ROUNDING_TOLERANCE:g}")


def check_context(file: Path, card: Card) -> Finding:
    """Refuse a card that states another context than a probe of the file sees."""
    from anamorph.context_probe import Context
    from anamorph.model_file import read_model
    from anamorph.sequence_checks import probe
    from anamorph.session import open_session

    assert card.context_before is not None
    assert card.context_after is not None
    stated = Context(card.context_before, card.context_after)
    seen = probe(open_session(read_model(file), device="cpu"), stated, thorough=True)
    if seen != stated:
        raise GateError(
            f"context: an output depends on {seen.before} steps before and {seen.after} after it, "
            f"the card says {stated.before} and {stated.after}, they must be equal; correct the "
            "network's context"
        )
    return Finding("context", f"{seen.before} before, {seen.after} after", "equal to the card's")


def check_chunks(file: Path, reference: VocoderGraph, mels: Sounds) -> Finding:
    """Refuse a file that the runtime turns into other sounds than PyTorch does."""
    vocoder = _open(file)
    context = (vocoder.card.context_before or 0) + (vocoder.card.context_after or 0)
    worst = 0.0
    for mel in mels[:3]:
        expected = gate.answer(reference, mel[None])[0]
        for chunk in (None, context + 17):
            made = vocoder.synthesize(mel, chunk=chunk).samples
            worst = max(worst, float(np.abs(made - expected).max()))
    if not worst <= SAMPLE_TOLERANCE:
        raise GateError(
            f"chunks: the runtime's sound differs by {worst:.2g} from PyTorch's, "
            f"{SAMPLE_TOLERANCE:g} is allowed; correct the card's context and alignment"
        )
    return Finding("chunks", f"{worst:.1e} from PyTorch", f"at most {SAMPLE_TOLERANCE:g}")


def check_quality(file: Path, held: Sounds) -> tuple[Finding, tuple[Metric, ...]]:
    """Refuse weights that do no better than Griffin-Lim on recordings not trained on."""
    vocoder = _open(file)
    errors: list[float] = []
    baselines: list[float] = []
    for sound in held:
        mel = analyse(sound)
        real = torch.from_numpy(sound[: mel.shape[1] * HOP])[None]
        for made, values in (
            (vocoder.synthesize(mel).samples, errors),
            (griffin_lim(mel), baselines),
        ):
            fake = torch.from_numpy(np.array(made))[None]
            values.append(float(spectral(fake, real, sample_rate=SAMPLE_RATE)["mel"]))
    error, baseline = float(np.mean(errors)), float(np.mean(baselines))
    allowed = GREATEST_SHARE_OF_BASELINE * baseline
    if not error <= allowed:
        raise GateError(
            f"quality: on {len(held)} held-out recordings the log-mel error is {error:.3f}, "
            f"Griffin-Lim's {baseline:.3f}; {allowed:.3f} is allowed; train longer"
        )
    metric = Metric(
        name="log_mel_error",
        on=_HOLDOUT,
        value=round(error, 4),
        unit="natural log, Griffin-Lim as baseline",
        baseline=round(baseline, 4),
    )
    found = f"{error:.3f} log-mel error of {len(held)} recordings"
    return Finding("quality", found, f"at most {allowed:.3f}"), (metric,)


def _open(file: Path) -> RuntimeVocoder:
    import anamorph

    vocoder: RuntimeVocoder = anamorph.load(file, device="cpu", threads=torch.get_num_threads())
    return vocoder


def _pair(mel: NDArray[np.float32]) -> Floats:
    return np.stack([mel, mel[:, ::-1]])
