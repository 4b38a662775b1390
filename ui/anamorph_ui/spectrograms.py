"""Two recordings as pictures: spectrograms with one colour scale, and the pitch over them."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from anamorph.audio_reader import RecordingFile
from anamorph.loudness import LEVEL, measure
from anamorph_ui.pitch import find_pitch

_RATE: Final = 16_000  # Hz, of what is drawn
_SECONDS: Final = 20.0
_N_FFT: Final = 1024
_HOP: Final = 256
_RANGE_DB: Final = 80.0
_PITCH: Final = (60.0, 500.0)  # Hz
_TEXT: Final = "#808080"  # read on white and on black


@dataclass(frozen=True)
class Heard:
    """What is seen and measured of a recording.

    Attributes:
        decibels: float32 (bins, frames), of a mel spectrogram.
        pitch: float64 (frames,), Hz, NaN where there is none.
        level_db: Of its speech, below full scale; None where nothing is said.
        seconds: Its whole length; what is drawn is its beginning.
    """

    decibels: np.ndarray
    pitch: np.ndarray
    level_db: float | None
    seconds: float

    @property
    def median_pitch(self) -> float | None:
        """Hz, of what is drawn; None where nothing is voiced."""
        voiced = self.pitch[np.isfinite(self.pitch)]
        return float(np.median(voiced)) if len(voiced) else None


def hear(path: Path) -> Heard:
    """Analyse a recording.

    Raises:
        InputError: It cannot be read.
    """
    import librosa

    file = RecordingFile(path)
    found = measure(file.blocks(), file.sample_rate)
    kept, held = [], 0
    for block in file.blocks():
        kept.append(block.mean(0))
        held += block.shape[1]
        if held > _SECONDS * file.sample_rate:
            break
    samples = np.concatenate(kept)[: int(_SECONDS * file.sample_rate)]
    samples = librosa.resample(samples, orig_sr=file.sample_rate, target_sr=_RATE)
    power = librosa.feature.melspectrogram(
        y=samples, sr=_RATE, n_fft=_N_FFT, hop_length=_HOP, n_mels=80
    )
    least, greatest = _PITCH
    pitch = find_pitch(samples, _RATE, least=least, greatest=greatest, frame=_N_FFT, hop=_HOP)
    gain = found.gain_db
    level = 20 * float(np.log10(LEVEL)) - gain if found.level else None
    return Heard(
        librosa.power_to_db(power, ref=1.0, top_db=None).astype(np.float32),
        pitch,
        level,
        found.samples / file.sample_rate,
    )


def draw(before: Heard, after: Heard) -> bytes:
    """Draw both side by side, as PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.2), dpi=110, layout="constrained")
    figure.patch.set_alpha(0)
    loudest = max(float(before.decibels.max()), float(after.decibels.max()))
    axes = figure.subplots(1, 2, sharey=True)
    for axis, heard, title in zip(axes, (before, after), ("before", "after"), strict=True):
        picture = _draw_one(axis, heard, loudest, title)
    axes[0].set_ylabel("Hz", color=_TEXT)
    bar = figure.colorbar(picture, ax=axes, pad=0.01)
    bar.set_label("dB", color=_TEXT)
    bar.ax.tick_params(colors=_TEXT)
    made = io.BytesIO()
    figure.savefig(made, format="png")
    return made.getvalue()


def _draw_one(axis: Any, heard: Heard, loudest: float, title: str) -> Any:
    import librosa

    frequencies = librosa.mel_frequencies(n_mels=len(heard.decibels), fmax=_RATE / 2)
    times = np.arange(heard.decibels.shape[1]) * _HOP / _RATE
    picture = axis.pcolormesh(
        times,
        frequencies,
        heard.decibels,
        vmin=loudest - _RANGE_DB,
        vmax=loudest,
        cmap="magma",
        shading="nearest",
        rasterized=True,
    )
    axis.plot(times[: len(heard.pitch)], heard.pitch[: len(times)], color="#40e0d0", linewidth=1.5)
    axis.set_yscale("function", functions=(librosa.hz_to_mel, librosa.mel_to_hz))
    axis.set_ylim(50, _RATE / 2)
    axis.set_yticks([100, 250, 500, 1000, 2000, 4000, 8000])
    axis.set_yticklabels(["100", "250", "500", "1k", "2k", "4k", "8k"])
    axis.set_title(title, color=_TEXT, fontsize=10)
    axis.set_xlabel("seconds", color=_TEXT)
    axis.tick_params(colors=_TEXT)
    for spine in axis.spines.values():
        spine.set_visible(False)
    return picture


def describe(before: Heard, after: Heard) -> str:
    """Say in a sentence what changed."""
    parts = [f"{after.seconds:.1f} s"]
    if before.median_pitch and after.median_pitch:
        semitones = 12 * np.log2(after.median_pitch / before.median_pitch)
        parts.append(
            f"median pitch {before.median_pitch:.0f} Hz before and {after.median_pitch:.0f} Hz "
            f"after ({semitones:+.1f} semitones)"
        )
    if before.level_db is not None and after.level_db is not None:
        parts.append(
            f"speech at {before.level_db:.1f} dB of full scale before and {after.level_db:.1f} dB "
            "after"
        )
    return "; ".join(parts)
