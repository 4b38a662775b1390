"""Lead a trained voice converter through the gate into a file, or leave no file."""

import copy
import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from msgspec.structs import replace
from numpy.typing import NDArray
from torch import Tensor, nn

from anamorph.audio import Audio
from anamorph.card import Card, Metric, Provenance
from anamorph.errors import InputError
from anamorph.loading import load_converter
from anamorph_export import gate
from anamorph_export.analysis import check_analysis
from anamorph_export.deploying import Identity, Report, check_target, write_model
from anamorph_export.exporting import MINIMUM_ONNXRUNTIME, to_onnx
from anamorph_export.gate import Finding, Floats, GateError
from anamorph_export.graphs import VoiceGraph, waveform_port
from anamorph_export.simplifying import round_to_half
from anamorph_export.vocoding import (
    SAMPLE_TOLERANCE,
    analyse,
    check_rounding,
    gate_sound,
)
from anamorph_training.data.voices import HOP, SAMPLE_RATE, statistics_of
from anamorph_training.networks.vocos import Vocoder
from anamorph_training.networks.voice_gan import VoiceGenerator, VoicePair

# Spectra, averaged over time, have to come this much nearer to the target's than the source's are.
GREATEST_DISTANCE_SHARE: Final = 0.8
_N_FFT: Final = 1024
_HOLDOUT: Final = "held-out recordings"

Sounds = Sequence[NDArray[np.float32]]


class ConditionedGenerator(nn.Module):
    """A generator that is always told the same: whose voice is wanted.

    Args:
        generator: Takes a condition.
        condition: float32 (conditions,).
    """

    def __init__(self, generator: VoiceGenerator, condition: Tensor) -> None:
        super().__init__()
        self.generator = generator
        self.condition: Tensor
        self.register_buffer("condition", condition[None], persistent=False)
        self.context_before, self.context_after = generator.context_before, generator.context_after
        self.training = generator.training

    def forward(self, mel: Tensor) -> Tensor:
        """Turn float32 (batch, n_mels, frames) into the same."""
        condition = self.condition.expand(mel.shape[0], -1)
        converted: Tensor = self.generator(mel, condition=condition)
        return converted


Generator = VoiceGenerator | ConditionedGenerator


def way_back(
    pair: VoicePair, source: list[Floats], run: Path
) -> tuple[ConditionedGenerator, list[Floats]]:
    """Tell the generator back of every other recording, and keep the rest to judge it by.

    Args:
        pair: Trained.
        source: float32 (samples,) each, at 22.05 kHz: held-out recordings of the source.
        run: Where they come from, for messages.

    Raises:
        InputError: There is one recording alone.
    """
    if len(source) < 2:
        raise InputError(
            f"{run}: kept one recording of the source, and --direction source needs two: one tells "
            "whose voice is wanted, the other judges it; train on more recordings of the source, "
            "or the other way round: --source and --target exchanged"
        )
    statistics = [statistics_of(analyse(sound)) for sound in source[::2]]
    condition = torch.from_numpy(sum(statistics) / len(statistics))
    return ConditionedGenerator(pair.to_source, condition), source[1::2]


def deploy_converter(
    generator: Generator,
    vocoder: Vocoder,
    target: Path,
    *,
    identity: Identity,
    provenance: Provenance | None = None,
    source: Sounds,
    wanted: Sounds,
    force: bool = False,
    report: Report = lambda finding: None,
) -> Card:
    """Export a generator and a vocoder as one graph, gate it and write it.

    Args:
        generator: In evaluation mode.
        vocoder: In evaluation mode.
        target: File to write; a temporary file beside it is renamed at the very end.
        identity: Name, version and licence.
        provenance: How the generator came to be.
        source: float32 (samples,) each, at 22.05 kHz: held-out recordings to convert.
        wanted: Held-out recordings by the voice that is wanted.
        force: Replace an existing file.
        report: Told of each check that is passed.

    Returns:
        The card as written.

    Raises:
        GateError: A check failed; nothing was written.
        InputError: No recording is given.
        OutputError: The target is refused.
    """
    check_target(target, force=force)
    if not source or not wanted:
        raise InputError("no held-out recordings are given; quality cannot be checked without")
    trained = VoiceGraph(generator, vocoder)
    report(gate.check_network(trained))
    report(gate.check_determinism(trained, torch.from_numpy(unseen_waveforms()[2])))
    report(check_analysis(trained.analysis))
    rounded_parts = copy.deepcopy((generator, vocoder))
    for part in rounded_parts:
        round_to_half(part)
    rounded = VoiceGraph(*rounded_parts)
    report(check_rounding(trained, rounded, source[0][None]))
    data, card = gate_sound(
        rounded,
        converter_onnx(rounded),
        converter_card(generator, vocoder, identity, provenance),
        [*unseen_waveforms(), source[0][None]],
        check_runtime=lambda file: check_files(file, rounded, source[:2]),
        check_quality=lambda file: check_quality(file, source, wanted),
        report=report,
    )
    write_model(target, data, force=force)
    return card


def converter_card(
    generator: Generator, vocoder: Vocoder, identity: Identity, provenance: Provenance | None
) -> Card:
    """Describe a converter before it is gated."""
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    # A sample is added up from frames that begin up to a window before it, and each of them
    # depends on frames of which the last reaches a window further.
    before = _N_FFT - 1 + HOP * (generator.context_before + vocoder.context_before)
    after = _N_FFT - 1 + HOP * (generator.context_after + vocoder.context_after)
    return Card(
        name=identity.name,
        model_version=identity.model_version,
        task="convert",
        description=identity.description or "Speaks the same words in another voice.",
        inputs=(waveform_port("waveform"),),
        outputs=(waveform_port("converted"),),
        licence=identity.licence,
        attribution=identity.attribution,
        sample_rate=SAMPLE_RATE,
        context_before=before,
        context_after=after,
        alignment=HOP,
        provenance=replace(provenance, date=provenance.date or today) if provenance else None,
        minimum_onnxruntime=MINIMUM_ONNXRUNTIME,
    )


def converter_onnx(graph: VoiceGraph) -> bytes:
    """Return the graph as the bytes of an ONNX file without a card."""
    model = to_onnx(
        graph,
        {"waveform": torch.from_numpy(unseen_waveforms()[2])},
        ["converted"],
        axes={"waveform": {0: "batch", 1: "samples"}},
    )
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def unseen_waveforms() -> list[Floats]:
    """Return noise of several lengths and batch sizes: float32 (batch, samples)."""
    generator = np.random.default_rng(20_000)
    shapes = ((1, 1), (2, 255), (2, 3001), (3, 4096), (1, 30_001))
    return [generator.normal(0, 0.05, shape).astype(np.float32) for shape in shapes]


def check_files(file: Path, reference: VoiceGraph, sounds: Sounds) -> Finding:
    """Refuse a file that the runtime turns into other sounds than PyTorch does.

    What it reads and writes lies beside the file.
    """
    import soundfile

    converter = load_converter(file, device="cpu", threads=torch.get_num_threads())
    context = (converter.card.context_before or 0) + (converter.card.context_after or 0)
    worst = 0.0
    for number, sound in enumerate(sounds):
        expected = gate.answer(reference, sound[None])[0]
        quiet = min(1.0, 0.4 / max(float(np.abs(expected).max()), 1e-9))  # below the limiter
        expected = gate.answer(reference, quiet * sound[None])[0]
        source, target = (file.with_name(f"{number}{end}.wav") for end in ("", "-converted"))
        soundfile.write(source, quiet * sound, SAMPLE_RATE, subtype="FLOAT")
        converter.convert_file(source, target, gain_db=0.0, chunk=context + 4 * HOP, force=True)
        made = Audio.open(target).samples
        if made.shape != expected.shape:
            raise GateError(
                f"files: {len(made)} samples come out of {len(sound)}, as many are expected; "
                "report a bug"
            )
        worst = max(worst, float(np.abs(made - expected).max()))
    if not worst <= SAMPLE_TOLERANCE:
        raise GateError(
            f"files: the runtime's sound, in chunks, differs by {worst:.2g} from PyTorch's, "
            f"{SAMPLE_TOLERANCE:g} is allowed; correct the card's context and alignment"
        )
    return Finding("files", f"{worst:.1e} from PyTorch", f"at most {SAMPLE_TOLERANCE:g}")


def check_quality(file: Path, source: Sounds, wanted: Sounds) -> tuple[Finding, tuple[Metric, ...]]:
    """Refuse weights that do not bring the source's average spectrum nearer to the target's."""
    converter = load_converter(file, device="cpu", threads=torch.get_num_threads())
    made = [
        np.array(converter.convert(Audio(sound, SAMPLE_RATE), gain_db=0.0).samples)
        for sound in source
    ]
    centre = _average(wanted)
    before, after = (float(np.abs(_average(sounds) - centre).mean()) for sounds in (source, made))
    allowed = GREATEST_DISTANCE_SHARE * before
    if not after <= allowed:
        raise GateError(
            f"quality: the average spectrum of {len(made)} converted recordings is {after:.3f} "
            f"from the target's, the source's is {before:.3f}; {allowed:.3f} is allowed; give "
            "it a vocoder of its own (anamorph train vocoder --voice RUN), or train longer"
        )
    metric = Metric(
        name="average_spectrum_distance",
        on=_HOLDOUT,
        value=round(after, 4),
        unit="natural log of amplitude, unconverted as baseline",
        baseline=round(before, 4),
    )
    found = f"{after:.3f} from the target's average spectrum"
    return Finding("quality", found, f"at most {allowed:.3f}"), (metric,)


def _average(sounds: Sounds) -> NDArray[np.float64]:
    """Return the mean log-mel spectrum over all frames: float64 (80,)."""
    mels = np.concatenate([analyse(sound) for sound in sounds], axis=1)
    average: NDArray[np.float64] = mels.mean(1, dtype=np.float64)
    return average
