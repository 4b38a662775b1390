"""Recordings of speech: found, decoded once, levelled, and memory-mapped after that.

Each becomes mono at one rate, without the silence at its ends, its speech at one level: what a
microphone or a studio did to the loudness is nothing that a network should learn.
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anamorph.audio import Audio
from anamorph.audio_reader import SUFFIXES
from anamorph.cache import cache_folder
from anamorph.errors import InputError, OutputError
from anamorph.loudness import LEVEL, SILENCE_DB, speech_level
from anamorph_training.data.arrays import map_array, save_array

# Part of each cache key: raise it when decoding, trimming or levelling changes.
_CACHE_VERSION: Final = 1
_PEAK: Final = 0.99
_FRAME: Final = 1024
_HOP: Final = 256
_FULL_SCALE: Final = 32767
_EVERY: Final = 20  # recordings, of which one is held out
_LEAST: Final = 2048  # samples; shorter ones have no spectra to compare

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Recording:
    """One recording, memory-mapped.

    Attributes:
        samples: int16 (samples,), mono.
        bandwidth: Hz, the highest frequency that its file can hold; what is above is silent.
        source: File that it was decoded from.
    """

    samples: NDArray[np.int16]
    bandwidth: float
    source: Path

    def cut(self, start: int, length: int) -> Floats:
        """Return float32 (length,) in [-1, 1]; zeros where it begins or ends within."""
        made = np.zeros(length, np.float32)
        first, last = max(start, 0), min(start + length, len(self.samples))
        if first < last:
            made[first - start : last - start] = self.samples[first:last]
        return made / np.float32(_FULL_SCALE)


def held_out(count: int) -> range:
    """Return which of so many recordings are only measured: every 20th, one at least."""
    return range(_EVERY // 2, count, _EVERY) or range(count - 1, count)


def default_cache() -> Path:
    """Return the folder that decoded recordings go to where none is given."""
    return cache_folder() / "recordings"


def find_recordings(folders: Sequence[Path]) -> list[Path]:
    """Return the recordings below folders, each folder's sorted by relative name.

    Raises:
        InputError: No folder is given, one is not there, or one holds no recording.
    """
    if not folders:
        raise InputError("no folder of recordings is given; name one: --data DIR")
    found: dict[Path, None] = {}
    for folder in folders:
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder; give a folder of recordings")
        here = [
            path
            for path in folder.rglob("*")
            if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
        ]
        if not here:
            accepted = " ".join(sorted(SUFFIXES))
            raise InputError(
                f"{folder}: holds no recordings; accepted are files that end in {accepted}"
            )
        here.sort(key=lambda path: path.relative_to(folder).as_posix())
        found.update(dict.fromkeys(here))
    return list(found)


def recordings_digest(files: Sequence[Path]) -> str:
    """Return a SHA-256 over the contents of files, whatever their order and their names."""
    digests = []
    for path in files:
        with path.open("rb") as stream:
            digests.append(hashlib.file_digest(stream, "sha256").hexdigest())
    return hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()


def prepare_recordings(
    files: Sequence[Path],
    *,
    sample_rate: int,
    cache: Path,
    report: Callable[[str], None],
) -> list[Recording]:
    """Decode recordings in parallel, or find them decoded, and memory-map them.

    Args:
        files: Recordings; unreadable, silent and very short ones are reported and left out.
        sample_rate: Hz, of what is returned.
        cache: Folder for the decoded recordings, 2 bytes a sample; made where absent.
        report: Told of progress and of each recording left out, one line each.

    Raises:
        InputError: No recording is left.
        OutputError: The cache's folder cannot be made.
    """
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{cache}: decoded recordings cannot be kept there ({error.strerror}); "
            "choose another --cache"
        ) from None
    recordings: list[Recording] = []
    failures: list[str] = []
    load = partial(_load, sample_rate=sample_rate, cache=cache)
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        tasks = [pool.submit(load, path) for path in files]
        for done, task in enumerate(tasks, start=1):
            try:
                recordings.append(task.result())
            except InputError as error:
                failures.append(str(error))
                report(f"left out: {error}")
            if done % 200 == 0 or done == len(files):
                report(f"recordings ready: {done} of {len(files)}")
    if not recordings:
        raise InputError(
            f"none of {len(files)} recordings can be used (the first: {failures[0]}); "
            "give readable recordings of speech"
        )
    return recordings


def level(samples: Floats, target: float = LEVEL) -> Floats:
    """Bring the frames of speech to one root mean square, and leave out silence at both ends.

    Frames more than 45 dB below the loudest are silence, and do not count.

    Args:
        samples: float32 (samples,), mono.
        target: Root mean square; less where a peak would clip.

    Raises:
        ValueError: There is nothing but silence.
    """
    import librosa

    trimmed: Floats
    trimmed, _ = librosa.effects.trim(
        samples, top_db=SILENCE_DB, frame_length=_FRAME, hop_length=_HOP
    )
    peak = float(np.abs(trimmed).max(initial=0.0))
    if peak < 1e-4:
        raise ValueError("holds nothing but silence")
    power = librosa.feature.rms(y=trimmed, frame_length=_FRAME, hop_length=_HOP)[0] ** 2
    gain = min(target / speech_level(power), _PEAK / peak)
    return (trimmed * gain).astype(np.float32)


def _load(path: Path, *, sample_rate: int, cache: Path) -> Recording:
    status = path.stat()
    key = f"{_CACHE_VERSION}\0{path.resolve()}\0{status.st_size}\0{status.st_mtime_ns}"
    stem = hashlib.sha256(f"{key}\0{sample_rate}".encode()).hexdigest()[:32]
    file = cache / f"{stem}.npy"
    if not file.exists():
        audio = Audio.open(path).mono()
        try:
            levelled = level(audio.resample(sample_rate).samples)
        except ValueError as error:
            raise InputError(f"{path}: {error}; record it again") from None
        # The bandwidth stands first; samples follow.
        head = np.array([min(audio.sample_rate, sample_rate) // 2], np.int16)
        save_array(file, np.concatenate([head, np.rint(levelled * _FULL_SCALE).astype(np.int16)]))
    kept = map_array(file)
    if len(kept) <= _LEAST:
        raise InputError(
            f"{path}: holds {len(kept) - 1} samples of speech, {_LEAST} are the least; record more "
            "in one piece"
        )
    return Recording(kept[1:], float(kept[0]), path)
