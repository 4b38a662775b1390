"""Read recordings through libsndfile: WAV, FLAC, OGG and MP3, block by block, and checked."""

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from anamorph.errors import InputError, UnavailableError

SUFFIXES: Final = frozenset({".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3"})
LEAST_RATE: Final = 8_000  # Hz
GREATEST_RATE: Final = 192_000
BYTES: Final = "(bytes)"  # name of what has none
BLOCK: Final = 2**16  # samples per channel that are read at once
_FORMATS: Final = {"WAV": "wav", "WAVEX": "wav", "RF64": "wav", "FLAC": "flac", "OGG": "ogg"}
_MP3: Final = ("MP3", "MPEG")
_UNKNOWN: Final = 2**63 - 1  # length that libsndfile gives a FLAC whose header tells none


def load_soundfile() -> Any:
    """Return the module ``soundfile``, imported on first use.

    Raises:
        UnavailableError: It or its library is not there.
    """
    try:
        import soundfile
    except (ImportError, OSError) as error:
        raise UnavailableError(
            f"soundfile cannot be loaded ({error}); install it with: pip install soundfile"
        ) from None
    return soundfile


class RecordingFile:
    """A recording that can be read from its beginning as often as need be.

    Args:
        source: Path or content of a file.

    Attributes:
        name: What it was opened from, for messages.
        sample_rate: Hz.
        channels: Number of channels.
        format: ``wav``, ``flac``, ``ogg`` or ``mp3``.
        depth: Bits per sample, 16, 24 or 32, or ``float``; 16 where it is lossy.

    Raises:
        InputError: It is missing, empty, in no accepted format, or at a rate outside 8 to 192 kHz.
    """

    def __init__(self, source: str | os.PathLike[str] | bytes) -> None:
        self.name = BYTES if isinstance(source, bytes) else os.fspath(source)
        self._source = source
        _check_there(source, self.name)
        with self._open() as file:
            self.format = self._accepted(file)
            self.sample_rate = int(file.samplerate)
            self.channels = int(file.channels)
            self.depth = _depth(file.subtype)

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield the samples: float32 (channels, samples) each.

        They lie in [-1, 1], unless a file of floats goes beyond.

        Raises:
            InputError: It is truncated or damaged, holds no sound, or NaN or infinity.
        """
        soundfile = load_soundfile()
        done = 0
        with self._open() as file:
            # The length that an MP3's header promises counts silence that decoders leave out.
            promised = 0 if file.format in _MP3 or file.frames == _UNKNOWN else file.frames
            if file.frames == _UNKNOWN:
                file._info.seekable = False  # soundfile seeks after each read, past the end as well
            while True:
                try:
                    block = file.read(BLOCK, dtype="float32", always_2d=True)
                except (soundfile.LibsndfileError, RuntimeError) as error:
                    raise self._damaged(_reason(error)) from None
                if not len(block):
                    break
                check_finite(block, self.name, start=done)
                done += len(block)
                yield np.ascontiguousarray(block.T)
        if not done:
            raise InputError(f"{self.name}: holds no sound, not one sample; give a longer one")
        if done < promised:
            raise self._damaged(f"{done} of {promised} samples can be read")

    def _open(self) -> Any:
        soundfile = load_soundfile()
        given: object
        if isinstance(self._source, bytes):
            given = io.BytesIO(self._source)
        else:  # POSIX allows names that are not UTF-8, which soundfile takes as bytes alone
            given = os.fsencode(self.name) if os.name == "posix" else self.name
        try:
            return soundfile.SoundFile(given)
        except (soundfile.LibsndfileError, RuntimeError, TypeError) as error:
            raise InputError(
                f"{self.name}: is no recording that can be read ({_reason(error)}); accepted are "
                "WAV, FLAC, OGG, Opus and MP3"
            ) from None

    def _accepted(self, file: Any) -> str:
        if file.format not in {*_FORMATS, *_MP3}:
            raise InputError(
                f"{self.name}: holds {file.format_info}, accepted are WAV, FLAC, OGG, Opus and "
                "MP3; convert it"
            )
        if not LEAST_RATE <= file.samplerate <= GREATEST_RATE:
            raise InputError(
                f"{self.name}: has {file.samplerate} samples per second, {LEAST_RATE} to "
                f"{GREATEST_RATE} are accepted; resample it"
            )
        return _FORMATS.get(file.format, "mp3")

    def _damaged(self, reason: str) -> InputError:
        return InputError(
            f"{self.name}: truncated or damaged ({reason}); get a whole copy of the file"
        )


def read_audio(source: str | os.PathLike[str] | bytes) -> tuple[np.ndarray, int]:
    """Decode a recording whole.

    Args:
        source: Path or content of a file.

    Returns:
        float32 (samples, channels), and the sample rate in Hz.

    Raises:
        InputError: As `RecordingFile` and its blocks do.
    """
    file = RecordingFile(source)
    return np.concatenate(list(file.blocks()), axis=1).T, file.sample_rate


def check_rate(sample_rate: int) -> None:
    """Refuse samples per second that no recording may have.

    Raises:
        InputError: They are too few or too many.
    """
    if not LEAST_RATE <= sample_rate <= GREATEST_RATE:
        raise InputError(
            f"sample rate {sample_rate}: {LEAST_RATE} to {GREATEST_RATE} Hz are accepted"
        )


def check_finite(samples: np.ndarray, name: str, *, start: int = 0) -> None:
    """Refuse samples that are no numbers.

    Args:
        samples: (samples,) or (samples, channels).
        name: For the message.
        start: Number of the first.

    Raises:
        InputError: There is one, and the message says where.
    """
    finite = np.isfinite(samples).reshape(len(samples), -1).all(axis=1)
    if not finite.all():
        raise InputError(
            f"{name}: sample {start + int(np.argmin(finite))} is NaN or infinite, only finite "
            "samples are accepted; write the file again"
        )


def _depth(subtype: str) -> int | str:
    if subtype in ("FLOAT", "DOUBLE"):
        return "float"
    return {"PCM_24": 24, "PCM_32": 32}.get(subtype, 16)


def _check_there(source: str | os.PathLike[str] | bytes, name: str) -> None:
    if isinstance(source, bytes):
        size = len(source)
    else:
        path = Path(source)
        try:
            if path.is_dir():
                raise InputError(f"{name}: is a folder; name a recording in it")
            size = path.stat().st_size
            with path.open("rb"):
                pass
        except FileNotFoundError:
            raise InputError(f"{name}: no such file; check the path") from None
        except OSError as error:
            raise InputError(f"{name}: {error.strerror}; check its permissions") from None
    if not size:
        raise InputError(f"{name}: is empty, 0 bytes; get a whole copy of the file")


def _reason(error: Exception) -> str:
    text = getattr(error, "error_string", "") or str(error)
    return " ".join(str(text).split()).removeprefix("Error : ").rstrip(".") or type(error).__name__
