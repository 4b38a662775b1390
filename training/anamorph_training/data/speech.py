"""The recordings of a run: found, split into trained-on and held-out, and described."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from anamorph.audio_reader import load_soundfile, read_audio
from anamorph.card import Dataset
from anamorph.errors import InputError
from anamorph_training.data.recordings import (
    Recording,
    default_cache,
    held_out,
    prepare_recordings,
    recordings_digest,
)

_MOST: Final = 16
_SECONDS: Final = 6

Floats = NDArray[np.float32]


class Choice(Protocol):
    """What a recipe's configuration says of its recordings."""

    @property
    def data(self) -> tuple[Path, ...]:
        """Folders to learn from."""

    @property
    def cache(self) -> Path | None:
        """Folder for decoded recordings."""

    @property
    def data_name(self) -> str:
        """Name for the card."""

    @property
    def licence(self) -> str:
        """Licence for the card."""

    @property
    def sample_rate(self) -> int:
        """Hz."""


@dataclass(frozen=True)
class Speech:
    """The recordings of a run.

    Attributes:
        training: To learn from.
        held: float32 (samples,) each, at most 6 seconds of recordings that are only measured.
        dataset: The first, as a card names them.
    """

    training: list[Recording]
    held: list[Floats]
    dataset: Dataset


def prepare_speech(
    choice: Choice, files: Sequence[Path], *, report: Callable[[str], None]
) -> Speech:
    """Decode recordings, and hold every 20th out.

    Args:
        choice: A recipe's configuration.
        files: As `recordings.find_recordings` returns them.
        report: Told of progress and of each recording left out, one line each.

    Raises:
        InputError: Fewer than two recordings can be used.
        OutputError: The cache's folder cannot be made.
    """
    recordings = prepare_recordings(
        files,
        sample_rate=choice.sample_rate,
        cache=choice.cache or default_cache(),
        report=report,
    )
    if len(recordings) < 2:
        raise InputError(
            f"{recordings[0].source}: is the only recording that can be used, and one must be held "
            "out; give two or more"
        )
    count = len(recordings)
    held = held_out(count)
    training = [one for index, one in enumerate(recordings) if index not in held]
    dataset = Dataset(
        name=choice.data_name,
        licence=choice.licence,
        digest=recordings_digest([one.source for one in training]),
        items=len(training),
    )
    chosen = [recordings[index] for index in held]
    step = max(1, len(chosen) // _MOST)
    most = _SECONDS * choice.sample_rate
    excerpts = [one.cut(0, min(most, len(one.samples))) for one in chosen[::step][:_MOST]]
    return Speech(training, excerpts, dataset)


def save_held(run: Path, held: Sequence[Floats], sample_rate: int, *, kind: str = "") -> None:
    """Write the held-out recordings into a run, so that export can measure without the data set.

    Those of an attempt that never reached a checkpoint go: this one may train on them.

    Args:
        run: Its folder.
        held: float32 (samples,) each.
        sample_rate: Hz.
        kind: Begins the names of the files; the empty kind is written first.
    """
    folder = run / "holdout"
    if folder.exists() and not kind:
        shutil.rmtree(folder)
    folder.mkdir(exist_ok=True)
    for index, samples in enumerate(held):
        write_wav(folder / f"{kind}{index:02}.wav", samples, sample_rate)


def read_held(run: Path, *, kind: str = "") -> list[Floats]:
    """Read the recordings that a run kept aside: float32 (samples,) each, at the run's rate.

    Args:
        run: Its folder.
        kind: As for `save_held`.

    Raises:
        InputError: It kept none.
    """
    files = sorted((run / "holdout").glob(f"{kind}[0-9][0-9].wav"))
    if not files:
        raise InputError(
            f"{run}: kept no held-out recordings, without which quality cannot be checked; "
            "continue its training"
        )
    return [read_audio(file)[0][:, 0] for file in files]


def write_wav(path: Path, samples: Floats, sample_rate: int) -> None:
    """Write mono 16-bit WAV; what lies outside [-1, 1] is clipped."""
    load_soundfile().write(path, np.clip(samples, -1, 1), sample_rate, subtype="PCM_16")
