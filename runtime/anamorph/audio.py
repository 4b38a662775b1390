"""Recordings as values: samples and the rate at which they were taken."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np

from anamorph.audio_reader import check_finite, check_rate, read_audio
from anamorph.audio_writer import AudioWriter, Depth, format_of
from anamorph.errors import InputError
from anamorph.new_file import check_target, replacing


@dataclass(frozen=True, eq=False)
class Audio:
    """A recording in memory.

    Attributes:
        samples: float32 (samples,) or (samples, channels), 1 is full scale; not writable.
        sample_rate: Samples per second and channel, 8,000 to 192,000 Hz.
        origin: Model and version that made it, such as ``nathalie@1``; files say so.
    """

    samples: np.ndarray
    sample_rate: int
    origin: str | None = None

    def __post_init__(self) -> None:
        """Check and freeze the samples.

        Raises:
            InputError: They have another shape, none is there, or one is not finite.
        """
        samples = np.array(self.samples, np.float32)  # a copy: nobody else may change it
        if samples.ndim not in (1, 2) or 0 in samples.shape:
            raise InputError(
                f"samples of shape {samples.shape}: accepted are (samples,) and "
                "(samples, channels), one of each at least"
            )
        check_rate(self.sample_rate)
        check_finite(samples, "samples")
        samples.flags.writeable = False
        object.__setattr__(self, "samples", samples)

    @classmethod
    def open(cls, source: str | os.PathLike[str] | bytes) -> Self:
        """Read WAV, FLAC, OGG or MP3.

        Args:
            source: Path or content of a file.

        Raises:
            InputError: The file is missing, damaged, without sound or of another kind.
        """
        samples, rate = read_audio(source)
        return cls(samples[:, 0] if samples.shape[1] == 1 else samples, rate)

    @property
    def channels(self) -> int:
        """Number of channels."""
        return 1 if self.samples.ndim == 1 else int(self.samples.shape[1])

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sample_rate

    def mono(self) -> "Audio":
        """Return the mean of the channels."""
        return self if self.samples.ndim == 1 else replace(self, samples=self.samples.mean(1))

    def resample(self, sample_rate: int) -> "Audio":
        """Return the recording at another rate, band-limited (SoX's resampler, quality "VHQ").

        Args:
            sample_rate: Hz.
        """
        if sample_rate == self.sample_rate:
            return self
        import soxr

        made = soxr.resample(self.samples, self.sample_rate, sample_rate, quality="VHQ")
        if not len(made):  # a sample or two of a high rate are less than one of a low rate
            made = self.samples[:1]
        return Audio(made, sample_rate, self.origin)

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        format: str | None = None,
        depth: Depth = 16,
        force: bool = False,
    ) -> None:
        """Write a file, all at once: it is there whole or not at all.

        Args:
            path: File to write, WAV, FLAC, OGG, Opus or MP3 by its suffix.
            format: ``wav``, ``flac``, ``ogg``, ``opus`` or ``mp3``; None goes by the suffix.
            depth: 16, 24 or 32 bits, or ``float``; where the format has no such, its nearest.
            force: Replace a file that exists.

        Raises:
            OutputError: It exists, cannot be written, or the format cannot hold the rate.
        """
        target = Path(path)
        kind = format_of(target, format)
        check_target(target, force=force)
        samples = self.samples[np.newaxis] if self.samples.ndim == 1 else self.samples.T
        with (
            replacing(target, force=force) as descriptor,
            AudioWriter(
                descriptor,
                kind,
                sample_rate=self.sample_rate,
                channels=self.channels,
                depth=depth,
                origin=self.origin,
            ) as writer,
        ):
            writer.write(samples)
