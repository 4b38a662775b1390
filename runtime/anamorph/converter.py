"""Convert voices: a recording goes in, the same words in another voice come out."""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from anamorph.audio import Audio
from anamorph.audio_reader import BLOCK, RecordingFile, check_rate
from anamorph.audio_writer import AudioWriter, Depth, format_of
from anamorph.chunks import plan_chunks, run_chunks
from anamorph.errors import InputError, OutputError
from anamorph.limiter import Limiter
from anamorph.loaded_model import LoadedModel
from anamorph.loudness import check_gain, measure
from anamorph.new_file import check_target, replacing
from anamorph.resampling import rate_length, resample_blocks
from anamorph.stream import VoiceStream

Progress = Callable[[float], None]


@dataclass(frozen=True)
class ConvertReport:
    """What ``VoiceConverter.convert_file`` did.

    Attributes:
        target: File that was written.
        duration: Seconds of sound.
        sample_rate: Hz, of what was written.
        channels: Written.
        gain_db: What the input was raised by before the model heard it, and lowered by after.
        seconds: Time that all took.
        model: Name and version of the model.
        device: Device that ran it.
        provider: ONNX Runtime's name of what ran it.
    """

    target: Path
    duration: float
    sample_rate: int
    channels: int
    gain_db: float
    seconds: float
    model: str
    device: str
    provider: str


@dataclass(frozen=True)
class _Source:
    """A recording that can be read twice, and the depth of its file."""

    sample_rate: int
    depth: Depth
    blocks: Callable[[], Iterable[np.ndarray]]


@dataclass(frozen=True)
class _Job:
    """How one recording is converted.

    Attributes:
        source: What is heard.
        length: Its samples per channel.
        gain_db: Raises it for the model.
        silent: Nothing is said, so that nothing shall come out.
        sample_rate: Hz, of what comes out.
        chunk: Greatest number of samples that the graph takes at once; None chooses.
    """

    source: _Source
    length: int
    gain_db: float
    silent: bool
    sample_rate: int
    chunk: int | None

    @property
    def made_length(self) -> int:
        """Samples per channel that come out."""
        return rate_length(self.length, self.source.sample_rate, self.sample_rate)


class VoiceConverter(LoadedModel):
    """Converts voices; made by ``anamorph.load``.

    Args:
        session: What runs the graph.
    """

    def __repr__(self) -> str:
        return f"VoiceConverter({self.origin}, {self.card.sample_rate} Hz, {self.provider})"

    def convert(
        self,
        audio: "str | os.PathLike[str] | bytes | Audio",
        *,
        gain_db: float | None = None,
        sample_rate: int | None = None,
        keep_channels: bool = False,
        chunk: int | None = None,
        progress: Progress | None = None,
    ) -> Audio:
        """Convert a recording in memory. For long files ``convert_file`` needs far less memory.

        Args:
            audio: Path or content of a WAV, FLAC, OGG or MP3 file, or a recording.
            gain_db: Raises the recording before the model hears it, and lowers what it makes by as
                much; None measures what brings speech to the level that the model knows.
            sample_rate: Hz, of the result; None takes the recording's.
            keep_channels: Convert each channel; otherwise they are averaged.
            chunk: Greatest number of samples at the model's rate that run at once, context
                included; fewer need less memory, the result is the same to 1e-4. None chooses.
            progress: Called with the fraction done, 0 to 1.

        Returns:
            A recording as long as the given one, its true peak below full scale.

        Raises:
            InputError: The recording is refused, or an option makes no sense.
            ModelFileError: The graph fails, or returns another length than its card says.
        """
        job = self._plan(_open(audio, keep_channels), gain_db, sample_rate, chunk)
        made = np.concatenate(list(self._run(job, progress)), axis=1)
        return Audio(made[0] if len(made) == 1 else made.T, job.sample_rate, self.origin)

    def convert_file(
        self,
        source: "str | os.PathLike[str] | bytes | Audio",
        target: str | os.PathLike[str],
        *,
        gain_db: float | None = None,
        sample_rate: int | None = None,
        keep_channels: bool = False,
        chunk: int | None = None,
        format: str | None = None,
        depth: Depth | None = None,
        force: bool = False,
        progress: Progress | None = None,
    ) -> ConvertReport:
        """Convert a recording from file to file, piece by piece: memory does not grow with it.

        Args:
            source: As for ``convert``.
            target: File to write, WAV, FLAC, OGG, Opus or MP3 by its suffix; it appears whole or
                not at all.
            gain_db: As for ``convert``.
            sample_rate: As for ``convert``; None takes the recording's, or the next that the
                format can hold.
            keep_channels: As for ``convert``.
            chunk: As for ``convert``.
            format: ``wav``, ``flac``, ``ogg``, ``opus`` or ``mp3``; None goes by the suffix.
            depth: 16, 24 or 32 bits, or ``float``; None takes the recording's, or the nearest that
                the format has.
            force: Replace a file that exists.
            progress: As for ``convert``.

        Raises:
            InputError: As for ``convert``.
            ModelFileError: As for ``convert``.
            OutputError: The target exists, cannot be written, or cannot hold what is asked.
        """
        begun = time.perf_counter()
        path = Path(target)
        opened = _open(source, keep_channels)
        kind = format_of(path, format)
        check_target(path, force=force)
        if depth is not None and depth not in kind.depths:
            accepted = ", ".join(map(str, kind.depths))
            raise OutputError(f"{path}: {kind.name} has no depth of {depth}; accepted: {accepted}")
        rate = sample_rate or kind.fit_rate(opened.sample_rate)
        job = self._plan(opened, gain_db, rate, chunk)
        channels = 0
        with replacing(path, force=force) as descriptor:
            pieces = self._run(job, progress)
            first = next(pieces)
            channels = first.shape[0]
            with AudioWriter(
                descriptor,
                kind,
                sample_rate=rate,
                channels=channels,
                depth=depth or opened.depth,
                origin=self.origin,
            ) as writer:
                writer.write(first)
                for piece in pieces:
                    writer.write(piece)
        return ConvertReport(
            target=path,
            duration=job.length / opened.sample_rate,
            sample_rate=rate,
            channels=channels,
            gain_db=job.gain_db,
            seconds=time.perf_counter() - begun,
            model=self.origin,
            device=self.device,
            provider=self.provider,
        )

    def stream(self, *, sample_rate: int | None = None, gain_db: float = 0.0) -> VoiceStream:
        """Begin to convert a voice while it speaks: ``push`` blocks, ``flush`` at the end.

        What comes out in all is what ``convert`` gives at the same gain, to 1e-4, at the model's
        own rate; at others it goes through a quicker resampler than recordings do.

        Args:
            sample_rate: Hz, of what comes in and goes out; None takes the model's.
            gain_db: As for ``convert``; nothing measures what has not been said yet.

        Raises:
            InputError: The model depends on the whole recording, or an option is out of range.
        """
        return VoiceStream(self._session, sample_rate=sample_rate, gain_db=gain_db)

    def _plan(
        self, source: _Source, gain_db: float | None, sample_rate: int | None, chunk: int | None
    ) -> _Job:
        """Read the recording once: its length and level decide all the rest."""
        rate = source.sample_rate if sample_rate is None else sample_rate
        check_rate(rate)
        if gain_db is not None:
            check_gain(gain_db)
        found = measure(source.blocks(), source.sample_rate)
        gain = found.gain_db if gain_db is None else gain_db
        return _Job(source, found.samples, gain, found.level == 0, rate, chunk)

    def _run(self, job: _Job, progress: Progress | None) -> Iterator[np.ndarray]:
        """Yield float32 (channels, samples) of the result, from beginning to end."""
        own, given = self.card.sample_rate, job.source.sample_rate
        factor = np.float32(10 ** (job.gain_db / 20))
        length = rate_length(job.length, given, own)
        heard = (block * factor for block in job.source.blocks())
        plan = plan_chunks(self.card, length, chunk=job.chunk)
        tape = _Tape(resample_blocks(heard, given, own, length=plan[-1].read_stop))
        converted = (
            np.zeros_like(piece) if job.silent else piece / factor
            for piece in _counted(run_chunks(self._session, plan, tape.read), len(plan), progress)
        )
        made = resample_blocks(converted, own, job.sample_rate, length=job.made_length)
        return _limited(made, job.sample_rate)  # last: a change of rate raises peaks


class _Tape:
    """A stream of which stretches are read whose ends only rise."""

    def __init__(self, blocks: Iterator[np.ndarray]) -> None:
        self._blocks = blocks
        self._start = 0
        self._kept = np.zeros((0, 0), np.float32)

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return float32 (channels, stop - start)."""
        pieces = [self._kept[:, start - self._start :]] if self._kept.size else []
        held = sum(piece.shape[1] for piece in pieces)
        while held < stop - start:
            pieces.append(next(self._blocks))
            held += pieces[-1].shape[1]
        self._start, self._kept = start, np.concatenate(pieces, axis=1)
        return self._kept[:, : stop - start]


def _open(audio: "str | os.PathLike[str] | bytes | Audio", keep_channels: bool) -> _Source:
    read: Callable[[], Iterator[np.ndarray]]
    depth: Depth
    if isinstance(audio, np.ndarray):
        raise InputError(
            "an array does not say how fast it is; give Audio(samples, sample_rate) instead"
        )
    if isinstance(audio, Audio):
        rate, depth, read = audio.sample_rate, 16, partial(_whole, audio)
    else:
        file = RecordingFile(audio)
        rate, depth, read = file.sample_rate, file.depth, file.blocks
    return _Source(rate, depth, read if keep_channels else partial(_mixed, read))


def _whole(audio: Audio) -> Iterator[np.ndarray]:
    samples = audio.samples[np.newaxis] if audio.samples.ndim == 1 else audio.samples.T
    for start in range(0, samples.shape[1], BLOCK):
        yield samples[:, start : start + BLOCK]


def _mixed(read: Callable[[], Iterator[np.ndarray]]) -> Iterator[np.ndarray]:
    for block in read():
        yield block.mean(0, keepdims=True)


def _counted(
    pieces: Iterator[np.ndarray], count: int, progress: Progress | None
) -> Iterator[np.ndarray]:
    for number, piece in enumerate(pieces, start=1):
        yield piece
        if progress:
            progress(number / count)


def _limited(pieces: Iterator[np.ndarray], sample_rate: int) -> Iterator[np.ndarray]:
    limiter: Limiter | None = None
    for piece in pieces:
        limiter = limiter or Limiter(sample_rate, piece.shape[0])
        yield limiter.push(piece)
    assert limiter is not None, "a recording has one chunk at least"
    yield limiter.finish()
