"""`anamorph bench voices`: what a second of speech costs from file to file."""

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import msgspec
import numpy as np
from cyclopts import Parameter

from anamorph.audio import Audio
from anamorph.errors import UsageError
from anamorph.loading import resolve
from anamorph.threads import check_threads, default_threads
from anamorph_training.bench.cost import REPORT_PEAK
from anamorph_training.bench.rounds import LEAST_ROUNDS, time_interleaved
from anamorph_training.data.speech import write_wav

BOUND: Final = 0.03
_RATE: Final = 22_050


@dataclass(frozen=True)
class SpeechCost:
    """What the whole command takes, from file to file.

    Attributes:
        model: Name or path.
        threads: Of the processor.
        marginal: Seconds that one more second of speech takes: median over the rounds.
        least: Least of the rounds.
        greatest: Greatest of them.
        start: Seconds that nothing takes: what the lengths leave over, median.
        peak_mb: Greatest resident memory of the process, in units of 1e6 bytes.
        holds: Whether the marginal cost keeps to its bound.
    """

    model: str
    threads: int
    marginal: float
    least: float
    greatest: float
    start: float
    peak_mb: float
    holds: bool


def voices(
    *,
    model: Annotated[str, Parameter(alias="-m")] = "nathalie",
    recording: Path | None = None,
    seconds: tuple[float, float] = (30.0, 210.0),
    threads: int | None = None,
    rounds: int = 7,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Measure what `anamorph convert` takes per second of speech, from file to file.

    Two lengths alternate; their difference is free of the start. Exits with 1 where one more
    second of speech takes more than 0.03 s.

    Args:
        model: Name or path of a voice converter.
        recording: What is repeated until it is long enough; without it, noise.
        seconds: Both lengths.
        threads: CPU threads; by default all cores this process may use.
        rounds: Interleaved rounds; their median counts.
        json: Print one JSON object.

    Raises:
        InputError: The recording cannot be read.
        ModelNotFoundError: No model answers to the name.
    """
    short, long = seconds
    if rounds < LEAST_ROUNDS:
        raise UsageError(f"--rounds {rounds}: the median needs at least {LEAST_ROUNDS}")
    if not 0 < short < long:
        raise UsageError(f"--seconds {short:g} {long:g}: give a shorter and a longer length")
    cores = default_threads() if threads is None else check_threads(threads)
    cost = _measure(
        str(resolve(model)), model, read_speech(recording, _RATE), (short, long), cores, rounds
    )
    if json:
        sys.stdout.write(msgspec.json.encode(asdict(cost)).decode() + "\n")
    else:
        verdict = "holds" if cost.holds else "MISSED"
        sys.stdout.write(
            f"{model}, {cores} threads: {cost.marginal:.4f} s per second of speech "
            f"({cost.least:.4f} to {cost.greatest:.4f}; at most {BOUND}: {verdict}), "
            f"{cost.start:.2f} s to start, peak {cost.peak_mb:.0f} MB\n"
        )
    return 0 if cost.holds else 1


def _measure(
    file: str,
    model: str,
    samples: np.ndarray,
    lengths: tuple[float, float],
    threads: int,
    rounds: int,
) -> SpeechCost:
    with tempfile.TemporaryDirectory(prefix="anamorph-bench-") as folder:
        contestants, peaks = {}, list[float]()
        for name, length in zip(("short", "long"), lengths, strict=True):
            source = Path(folder) / f"{name}.wav"
            write_wav(source, np.resize(samples, int(length * _RATE)), _RATE)
            command = [sys.executable, "-c", REPORT_PEAK, "convert", str(source), "-m", file]
            command += ["-o", str(Path(folder) / f"{name}-made.wav"), "--force"]
            command += ["--device", "cpu", "--threads", str(threads)]
            contestants[name] = partial(_run, command, peaks)
        times = time_interleaved(contestants, rounds=rounds)
    pairs = list(zip(times["short"], times["long"], strict=True))
    marginals = [(long - short) / (lengths[1] - lengths[0]) for short, long in pairs]
    marginal = statistics.median(marginals)
    start = statistics.median(short - marginal * lengths[0] for short, _ in pairs)
    return SpeechCost(
        model=model,
        threads=threads,
        marginal=marginal,
        least=min(marginals),
        greatest=max(marginals),
        start=start,
        peak_mb=max(peaks),
        holds=marginal <= BOUND,
    )


def _run(command: Sequence[str], peaks: list[float]) -> None:
    """Run a process, and note its greatest resident memory in MB."""
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    peaks.append(int(done.stdout.split()[-1]) * 1024 / 1e6)


def read_speech(recording: Path | None, rate: int) -> np.ndarray:
    """Return float32 (samples,) at a rate in Hz: a recording, or noise where there is none."""
    if recording is None:
        return np.random.default_rng(0).normal(0, 0.05, 10 * rate).astype(np.float32)
    return np.array(Audio.open(recording).mono().resample(rate).samples)
