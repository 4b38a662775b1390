"""Read a recording: WAV, FLAC, OGG or MP3, whole and checked, through libsndfile."""

import io
import os
from pathlib import Path
from typing import Any, Final

import numpy as np

from anamorph.errors import InputError, UnavailableError

SUFFIXES: Final = frozenset({".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3"})
LEAST_RATE: Final = 8_000  # Hz
GREATEST_RATE: Final = 192_000
BYTES: Final = "(bytes)"  # name of what has none
_FORMATS: Final = frozenset({"WAV", "WAVEX", "RF64", "FLAC", "OGG", "MP3", "MPEG"})
# The length that an MP3's header promises counts silence that decoders leave out.
_INEXACT: Final = frozenset({"MP3", "MPEG"})


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


def read_audio(source: str | os.PathLike[str] | bytes) -> tuple[np.ndarray, int]:
    """Decode a recording.

    Args:
        source: Path or content of a file.

    Returns:
        float32 (samples, channels), in [-1, 1] unless a file of floats goes beyond, and the sample
        rate in Hz.

    Raises:
        InputError: It is missing, empty, in no accepted format, truncated, at a rate outside 8 to
            192 kHz, or holds NaN or infinity.
    """
    name = BYTES if isinstance(source, bytes) else os.fspath(source)
    _check_there(source, name)
    soundfile = load_soundfile()
    opened = io.BytesIO(source) if isinstance(source, bytes) else name
    try:
        with soundfile.SoundFile(opened) as file:
            _check_header(file, name)
            samples = file.read(dtype="float32", always_2d=True)
            promised, rate = file.frames, file.samplerate
            exact = file.format not in _INEXACT
    except (soundfile.LibsndfileError, RuntimeError, TypeError) as error:
        raise InputError(
            f"{name}: is no recording that can be read ({_reason(error)}); accepted are WAV, FLAC, "
            "OGG and MP3"
        ) from None
    if not len(samples):
        raise InputError(f"{name}: holds no sound, not one sample; give a longer recording")
    if exact and len(samples) < promised:
        raise InputError(
            f"{name}: truncated or damaged ({len(samples)} of {promised} samples can be read); "
            "get a whole copy of the file"
        )
    check_finite(samples, name)
    return samples, int(rate)


def check_finite(samples: np.ndarray, name: str) -> None:
    """Refuse samples that are no numbers.

    Raises:
        InputError: There is one, and the message says where.
    """
    finite = np.isfinite(samples).reshape(len(samples), -1).all(axis=1)
    if not finite.all():
        raise InputError(
            f"{name}: sample {int(np.argmin(finite))} is NaN or infinite, only finite samples are "
            "accepted; write the file again"
        )


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


def _check_header(file: Any, name: str) -> None:
    if file.format not in _FORMATS:
        raise InputError(
            f"{name}: holds {file.format_info}, accepted are WAV, FLAC, OGG and MP3; convert it"
        )
    if not LEAST_RATE <= file.samplerate <= GREATEST_RATE:
        raise InputError(
            f"{name}: has {file.samplerate} samples per second, {LEAST_RATE} to {GREATEST_RATE} "
            "are accepted; resample it"
        )


def _reason(error: Exception) -> str:
    text = getattr(error, "error_string", "") or str(error)
    return " ".join(str(text).split()).rstrip(".") or type(error).__name__
