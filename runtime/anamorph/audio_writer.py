"""Write recordings: WAV, FLAC, OGG, Opus and MP3, block by block, with their origin inside."""

import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Self

import numpy as np

from anamorph.audio_reader import load_soundfile
from anamorph.errors import OutputError

Depth = int | str


@dataclass(frozen=True)
class AudioFormat:
    """One kind of file.

    Attributes:
        name: As ``--format`` takes it.
        suffix: With its dot.
        depths: libsndfile's names of the sample formats, by bits; the first is the default.
        rates: Hz that it can hold, in rising order; none for all.
        container: libsndfile's name of it; none where it is ``name`` in capitals.
    """

    name: str
    suffix: str
    depths: dict[Depth, str]
    rates: tuple[int, ...] = ()
    container: str = ""

    def fit_rate(self, sample_rate: int) -> int:
        """Return the rate itself, or the next above it that the format can hold, or its last."""
        if not self.rates:
            return sample_rate
        return next((rate for rate in self.rates if rate >= sample_rate), self.rates[-1])


_OPUS_RATES: Final = (8000, 12000, 16000, 24000, 48000)
_MP3_RATES: Final = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
FORMATS: Final = {
    "wav": AudioFormat("wav", ".wav", {16: "PCM_16", 24: "PCM_24", 32: "PCM_32", "float": "FLOAT"}),
    "flac": AudioFormat("flac", ".flac", {16: "PCM_16", 24: "PCM_24"}),
    "ogg": AudioFormat("ogg", ".ogg", {16: "VORBIS"}),
    "opus": AudioFormat("opus", ".opus", {16: "OPUS"}, _OPUS_RATES, "OGG"),
    "mp3": AudioFormat("mp3", ".mp3", {16: "MPEG_LAYER_III"}, _MP3_RATES),
}
BY_SUFFIX: Final = {one.suffix: one for one in FORMATS.values()} | {
    ".oga": FORMATS["ogg"],
}


def format_of(path: Path, chosen: str | None = None) -> AudioFormat:
    """Return the format of a file that shall be written.

    Args:
        path: Its suffix decides.
        chosen: Name of a format that decides instead.

    Raises:
        OutputError: Neither is one that can be written.
    """
    accepted = ", ".join(FORMATS)
    if chosen is not None:
        if chosen not in FORMATS:
            raise OutputError(f"format {chosen!r}: accepted are {accepted}")
        return FORMATS[chosen]
    found = BY_SUFFIX.get(path.suffix.lower())
    if found is None:
        raise OutputError(
            f"{path}: its suffix names no format that can be written; accepted are {accepted}; "
            "choose one with --format (format=...)"
        )
    return found


class AudioWriter:
    """Writes one recording into an open file.

    Args:
        target: Descriptor or stream, which stays open.
        format: What to write.
        sample_rate: Hz.
        channels: Number of channels.
        depth: Bits per sample or ``float``; where the format has no such, its nearest.
        origin: Name and version of the model that spoke; None for a recording that none made.

    Raises:
        OutputError: The format cannot hold the rate or the channels.
    """

    def __init__(
        self,
        target: int | BinaryIO,
        format: AudioFormat,
        *,
        sample_rate: int,
        channels: int,
        depth: Depth = 16,
        origin: str | None = None,
    ) -> None:
        soundfile = load_soundfile()
        if depth not in format.depths:
            depth = 24 if 24 in format.depths and depth != 16 else next(iter(format.depths))
        try:
            self._file: Any = soundfile.SoundFile(
                target,
                "w",
                sample_rate,
                channels,
                format.depths[depth],
                format=format.container or format.name.upper(),
                closefd=False,
            )
        except (soundfile.LibsndfileError, RuntimeError) as error:
            raise OutputError(
                f"{format.name} cannot hold {channels} channels of {sample_rate} Hz ({error}); "
                "choose another --rate or --format"
            ) from None
        if origin:
            self._file.software = f"Anamorph {origin}"
            self._file.comment = f"Synthetic speech, converted by Anamorph {origin}"
        self._whole = depth != "float"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def write(self, samples: np.ndarray) -> None:
        """Append float32 (channels, samples); what exceeds [-1, 1] is clipped, unless floats.

        Raises:
            OutputError: The disk is full, or refuses.
        """
        soundfile = load_soundfile()
        block = np.clip(samples, -1, 1) if self._whole else samples
        try:
            self._file.write(np.ascontiguousarray(block.T))
        except (soundfile.LibsndfileError, RuntimeError) as error:
            raise OSError(os.strerror(28) if "space" in str(error) else str(error)) from None
