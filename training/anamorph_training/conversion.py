"""How a conversion sounds while it trains: spectrograms side by side, and sounds."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

import anamorph
from anamorph.errors import InputError
from anamorph.vocoder import Vocoder
from anamorph_training.data.speech import write_wav
from anamorph_training.data.voices import SAMPLE_RATE, Voice
from anamorph_training.griffin_lim import griffin_lim
from anamorph_training.loop.journal import Journal, Progress
from anamorph_training.networks.voice_gan import VoiceGenerator, VoicePair
from anamorph_training.sheets import write_sheet

_ROWS: Final = 4
_FRAMES: Final = 300
_TALL: Final = 2  # pixels per band
_LIGHTEST: Final = -11.0  # natural log of amplitude, the range of a sheet's greys
_DARKEST: Final = 1.0

Floats = NDArray[np.float32]


def draw_mel(mel: Floats) -> NDArray[np.uint8]:
    """Draw uint8 (160, frames, 3): low bands below, dark where there is much energy."""
    share = np.clip((mel[::-1] - _LIGHTEST) / (_DARKEST - _LIGHTEST), 0, 1)
    grey = np.rint(255 * (1 - share)).astype(np.uint8).repeat(_TALL, axis=0)
    return np.ascontiguousarray(np.broadcast_to(grey[..., None], (*grey.shape, 3)))


def open_vocoder(name: str) -> Vocoder | None:
    """Load the vocoder that samples are heard through; None for Griffin-Lim.

    Raises:
        InputError: It is no vocoder of 80 bands at 22.05 kHz.
    """
    if not name:
        return None
    vocoder = anamorph.load(name, device="cpu")
    fits = isinstance(vocoder, Vocoder) and len(vocoder.card.inputs[0].channels) == 80
    if not fits or vocoder.card.sample_rate != SAMPLE_RATE:
        raise InputError(
            f"{name}: is no vocoder of 80 bands at {SAMPLE_RATE} Hz; give another --vocoder"
        )
    assert isinstance(vocoder, Vocoder)
    return vocoder


@dataclass(frozen=True)
class Watch:
    """Measures a pair of generators on held-out recordings, and keeps what it makes of them.

    Attributes:
        pair: What is measured, in evaluation mode.
        source: Its held-out utterances are converted there and back.
        target: Its held-out copies are undone.
        vocoder: What samples are heard through; None for Griffin-Lim.
        device: Where the pair is.
    """

    pair: VoicePair
    source: Voice
    target: Voice
    vocoder: Vocoder | None
    device: torch.device

    def measure(self, step: int, journal: Journal, progress: Progress) -> None:
        """Measure after ``step`` steps, and tell: errors of log-mel spectrograms."""
        cycles, undone = [], []
        for one in self.source.held:
            source, _, cycle = self._convert(one.mel, one.statistics)
            cycles.append(float(np.abs(cycle - source).mean()))
        for one in self.target.held:
            for copy in one.copies[:1] or (one.mel,):
                _, made, _ = self._convert(copy, one.statistics)
                undone.append(float(np.abs(made - one.mel).mean()))
        figures = {"held_cycle": float(np.mean(cycles)), "held_undone": float(np.mean(undone))}
        journal.write(step, **figures)
        progress.say(
            f"step {step}: held-out log-mel error {figures['held_cycle']:.3f} there and back, "
            f"{figures['held_undone']:.3f} of undone copies"
        )

    def sample(self, step: int, run: Path) -> None:
        """Write spectrograms and sounds of source, converted, and there and back, into a run."""
        rows = [self._convert(one.mel, one.statistics) for one in self.source.held[:_ROWS]]
        _write_samples(run, step, ("source", "converted", "back"), rows, self.vocoder)

    def _convert(
        self, mel: NDArray[np.float16], statistics: Floats
    ) -> tuple[Floats, Floats, Floats]:
        given = torch.from_numpy(mel.astype(np.float32))[None].to(self.device)
        condition = torch.from_numpy(statistics)[None].to(self.device)
        with torch.inference_mode():
            converted = self.pair.to_target(given)
            cycle = self.pair.to_source(converted, condition=condition)
        source, made, back = (one[0].float().cpu().numpy() for one in (given, converted, cycle))
        return source, made, back


@dataclass(frozen=True)
class StudentWatch:
    """Measures how near a generator comes to its teacher on held-out recordings.

    Attributes:
        student: What is measured, in evaluation mode.
        teacher: Likewise in evaluation mode, on the CPU.
        source: Its held-out utterances are converted by both.
        vocoder: What samples are heard through; None for Griffin-Lim.
        device: Where the student is.
    """

    student: VoiceGenerator
    teacher: VoiceGenerator
    source: Voice
    vocoder: Vocoder | None
    device: torch.device

    def measure(self, step: int, journal: Journal, progress: Progress) -> None:
        """Measure after ``step`` steps, and tell: the error of log-mel spectrograms."""
        rows = [self._convert(one.mel) for one in self.source.held]
        error = float(np.mean([np.abs(mine - wanted).mean() for _, wanted, mine in rows]))
        journal.write(step, held_mel=error)
        progress.say(f"step {step}: held-out log-mel error {error:.3f} from the teacher's")

    def sample(self, step: int, run: Path) -> None:
        """Write spectrograms and sounds of source, teacher and student into a run."""
        rows = [self._convert(one.mel) for one in self.source.held[:_ROWS]]
        _write_samples(run, step, ("source", "teacher", "student"), rows, self.vocoder)

    def _convert(self, mel: NDArray[np.float16]) -> tuple[Floats, Floats, Floats]:
        given = torch.from_numpy(mel.astype(np.float32))[None]
        with torch.inference_mode():
            made = self.student(given.to(self.device)).cpu()
            wanted = self.teacher(given)
        source, teacher, student = (one[0].float().numpy() for one in (given, wanted, made))
        return source, teacher, student


def _write_samples(
    run: Path,
    step: int,
    names: tuple[str, str, str],
    rows: Sequence[tuple[Floats, Floats, Floats]],
    vocoder: Vocoder | None,
) -> None:
    folder = run / "samples"
    folder.mkdir(exist_ok=True)
    for index, mels in enumerate(rows):
        for name, mel in zip(names, mels, strict=True):
            sound = np.array(vocoder.synthesize(mel).samples) if vocoder else griffin_lim(mel)
            write_wav(folder / f"{step:09}-{index}-{name}.wav", sound, SAMPLE_RATE)
    drawn = [[draw_mel(mel[:, :_FRAMES]) for mel in mels] for mels in rows]
    write_sheet(folder / f"{step:09}.png", list(names), drawn)
