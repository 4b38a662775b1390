"""The same words in a voice that nobody has: pitch, formants and tilt changed through WORLD.

Morise et al., "WORLD: a vocoder-based high-quality speech synthesis system", 2016. A network that
learns to undo it has pairs, frame by frame, though nobody spoke twice.
"""

import hashlib
import os
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from anamorph.errors import UnavailableError
from anamorph_training.data.arrays import map_array, save_array
from anamorph_training.data.recordings import Recording

# Part of each cache key: raise it when the perturbation changes.
_CACHE_VERSION: Final = 1
_PITCH: Final = (0.55, 1.7)  # times, logarithmically uniform
_FORMANTS: Final = (0.8, 1.25)  # times, likewise
_TILT_DB: Final = (-4.0, 4.0)  # per octave, around 1 kHz
_PITCH_RANGE: Final = (60.0, 500.0)  # Hz, of what is analysed
_LEAST_PITCH: Final = 50.0  # Hz, of what is made
_FULL_SCALE: Final = 32767


@dataclass(frozen=True)
class Perturbation:
    """What is changed.

    Attributes:
        pitch: Factor of the fundamental frequency.
        formants: Factor of the frequencies of the envelope.
        tilt_db: Rise of the envelope per octave, in dB.
    """

    pitch: float
    formants: float
    tilt_db: float


@dataclass(frozen=True)
class Copy:
    """A perturbed copy of a recording.

    Attributes:
        recording: As long as what it copies.
        change: What was changed.
    """

    recording: Recording
    change: Perturbation


def draw_perturbation(generator: np.random.Generator) -> Perturbation:
    """Draw one at random."""
    pitch, formants = (
        float(np.exp(generator.uniform(*np.log(bounds)))) for bounds in (_PITCH, _FORMANTS)
    )
    return Perturbation(pitch, formants, float(generator.uniform(*_TILT_DB)))


def load_world() -> Any:
    """Return the module ``pyworld``.

    Raises:
        UnavailableError: It is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it asks pkg_resources for its version
            import pyworld
    except ImportError as error:
        raise UnavailableError(
            f"perturbed copies and figures of speech need pyworld ({error}); pip install "
            "'anamorph[evaluate]', or train with --variants 0"
        ) from None
    return pyworld


def perturb(
    samples: NDArray[np.float32], sample_rate: int, changes: Sequence[Perturbation]
) -> list[NDArray[np.float32]]:
    """Speak a recording again with other voices, at the same time and level.

    Args:
        samples: float32 (samples,), mono.
        sample_rate: Hz.
        changes: One per copy.

    Returns:
        float32 (samples,) each.

    Raises:
        UnavailableError: pyworld is not installed.
    """
    pyworld = load_world()
    given = samples.astype(np.float64)
    pitch, times, envelope = find_envelope(given, sample_rate)
    aperiodicity = pyworld.d4c(given, pitch, times, sample_rate)
    frequencies = np.linspace(0, sample_rate / 2, envelope.shape[1])
    octaves = np.log2(np.maximum(frequencies, 60) / 1000)
    level = float(np.sqrt(np.mean(given**2)))
    copies = []
    for change in changes:
        read_at = np.minimum(frequencies / change.formants, frequencies[-1])
        warped = _read_between(np.log(np.maximum(envelope, 1e-16)), read_at, frequencies)
        tilted = np.exp(warped + np.log(10) / 10 * change.tilt_db * octaves)
        moved = np.where(pitch > 0, np.maximum(pitch * change.pitch, _LEAST_PITCH), 0)
        made = pyworld.synthesize(moved, np.ascontiguousarray(tilted), aperiodicity, sample_rate)
        made = np.pad(made, (0, max(0, len(given) - len(made))))[: len(given)]
        gain = level / max(float(np.sqrt(np.mean(made**2))), 1e-9)
        gain = min(gain, 0.99 / max(float(np.abs(made).max()), 1e-9))
        copies.append((made * gain).astype(np.float32))
    return copies


def find_envelope(
    samples: NDArray[np.float64], sample_rate: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return pitch in Hz (0 unvoiced), times in seconds and power envelope, frames 5 ms apart.

    Raises:
        UnavailableError: pyworld is not installed.
    """
    pyworld = load_world()
    least, greatest = _PITCH_RANGE
    rough, times = pyworld.dio(samples, sample_rate, f0_floor=least, f0_ceil=greatest)
    pitch = pyworld.stonemask(samples, rough, times, sample_rate)
    return pitch, times, pyworld.cheaptrick(samples, pitch, times, sample_rate)


def prepare_copies(
    recordings: Sequence[Recording],
    *,
    sample_rate: int,
    variants: int,
    cache: Path,
    report: Callable[[str], None],
) -> list[list[Copy]]:
    """Perturb recordings, or find them perturbed, and memory-map them.

    Args:
        recordings: As `recordings.prepare_recordings` returns them, at ``sample_rate``.
        sample_rate: Hz.
        variants: Copies of each.
        cache: Folder for them, 2 bytes a sample; it exists.
        report: Told of progress, one line each.

    Returns:
        For each recording its copies.

    Raises:
        UnavailableError: pyworld is not installed.
    """
    load_world()
    prepared: list[list[Copy]] = []
    work = partial(_load, sample_rate=sample_rate, variants=variants, cache=cache)
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for copies in pool.map(work, recordings):
            prepared.append(copies)
            if len(prepared) % 100 == 0 or len(prepared) == len(recordings):
                report(f"perturbed copies ready: {len(prepared)} of {len(recordings)}")
    return prepared


def _load(recording: Recording, *, sample_rate: int, variants: int, cache: Path) -> list[Copy]:
    digest = hashlib.sha256(recording.samples.tobytes()).hexdigest()
    generator = np.random.default_rng(list(bytes.fromhex(digest[:32])))
    changes = [draw_perturbation(generator) for _ in range(variants)]
    key = f"{_CACHE_VERSION}\0{digest}\0{sample_rate}\0{variants}"
    file = cache / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.world.npy"
    if not file.exists():
        copies = perturb(recording.cut(0, len(recording.samples)), sample_rate, changes)
        save_array(file, np.rint(np.stack(copies) * _FULL_SCALE).astype(np.int16))
    return [
        Copy(Recording(one, recording.bandwidth, recording.source), change)
        for one, change in zip(map_array(file), changes, strict=True)
    ]


def _read_between(
    values: NDArray[np.float64], at: NDArray[np.float64], places: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Interpolate each row of (frames, bins), known at equally spaced places, linearly."""
    position = at / places[1]
    lower = np.minimum(position.astype(int), values.shape[1] - 2)
    share = position - lower
    between: NDArray[np.float64] = values[:, lower] * (1 - share) + values[:, lower + 1] * share
    return between
