"""How good a vocoder is while it trains: held-out recordings, taken to mel and back."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from anamorph_training.data.speech import write_wav
from anamorph_training.data.voices import HOP
from anamorph_training.loop.journal import Journal, Progress
from anamorph_training.sheets import write_sheet
from anamorph_training.spectra import log_amplitude, log_mel, magnitude
from anamorph_training.spectral_losses import spectral

_SHEET_ROWS: Final = 4
_SHEET_FRAMES: Final = 400
_N_FFT: Final = 1024
_DARKEST: Final = 3.5  # natural log of a magnitude, the range of a sheet's greys
_LIGHTEST: Final = -6.0

Floats = NDArray[np.float32]


def copy(network: nn.Module, samples: Floats, device: torch.device) -> Floats:
    """Take a waveform to its log-mel spectrogram and back; whole frames alone.

    Args:
        network: A vocoder at 22.05 kHz.
        samples: float32 (samples,), one frame of 256 at least.
        device: Where the network is.
    """
    whole = torch.from_numpy(samples[: len(samples) // HOP * HOP])[None].to(device)
    with torch.inference_mode():
        made: Floats = network(log_mel(whole))[0].float().cpu().numpy()
    return made


def draw_spectrogram(samples: Floats) -> NDArray[np.uint8]:
    """Draw uint8 (257, frames, 3): low frequencies below, dark where there is much energy."""
    log_magnitude = log_amplitude(magnitude(torch.from_numpy(samples)[None], _N_FFT, HOP))[0]
    pooled = log_magnitude[:-1].view(_N_FFT // 4, 2, -1).amax(1).flip(0).numpy()  # (256, frames)
    share = (pooled - _LIGHTEST) / (_DARKEST - _LIGHTEST)
    grey = np.rint(255 * (1 - np.clip(share, 0, 1))).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(grey[..., None], (*grey.shape, 3)))


@dataclass(frozen=True)
class Watch:
    """Measures a vocoder on held-out recordings, and keeps what it makes of them.

    Attributes:
        network: What is measured, in evaluation mode.
        held: float32 (samples,) each.
        sample_rate: Hz.
        device: Where the network is.
    """

    network: nn.Module
    held: list[Floats]
    sample_rate: int
    device: torch.device

    def measure(self, step: int, journal: Journal, progress: Progress) -> None:
        """Measure after ``step`` steps, and tell: log-mel error and spectral convergence."""
        errors: dict[str, list[float]] = {"mel": [], "convergence": []}
        for samples in self.held:
            made = torch.from_numpy(copy(self.network, samples, self.device))[None]
            real = torch.from_numpy(samples)[None, : made.shape[1]]
            found = spectral(made, real, sample_rate=self.sample_rate)
            for name, values in errors.items():
                values.append(float(found[name]))
        means = {f"held_{name}": float(np.mean(values)) for name, values in errors.items()}
        journal.write(step, **means)
        progress.say(
            f"step {step}: held-out log-mel error {means['held_mel']:.4f}, "
            f"spectral convergence {means['held_convergence']:.4f}"
        )

    def sample(self, step: int, run: Path) -> None:
        """Write spectrograms side by side, and the sounds themselves, into a run."""
        folder, rows = run / "samples", []
        for index, samples in enumerate(self.held[:_SHEET_ROWS]):
            made = copy(self.network, samples, self.device)
            most = _SHEET_FRAMES * HOP
            rows.append([draw_spectrogram(one[:most]) for one in (samples[: len(made)], made)])
            folder.mkdir(exist_ok=True)
            write_wav(folder / f"{step:09}-{index}.wav", made, self.sample_rate)
        write_sheet(folder / f"{step:09}.png", ["recording", "from its mel"], rows)
