"""`anamorph bench stream`: what converting a voice while it speaks takes, step by step."""

import resource
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Final

import msgspec
import numpy as np
from cyclopts import Parameter

from anamorph.errors import UsageError
from anamorph.loading import load_converter, resolve
from anamorph.stream import VoiceStream
from anamorph.threads import check_threads, default_threads
from anamorph_training.bench.voices import read_speech

STEP_BOUND: Final = 12.0  # ms of computing for 40 ms of speech, median
LATE_BOUND: Final = 30.0  # ms, 99th percentile
AHEAD_BOUND: Final = 100.0  # ms that the model and its windows look ahead
_BLOCK_SECONDS: Final = 0.04
_WARM_UP: Final = 50  # blocks


@dataclass(frozen=True)
class StreamCost:
    """What a stream takes.

    Attributes:
        model: Name or path.
        threads: Of the processor.
        sample_rate: Hz, of what came in and went out.
        seconds: Of speech that was streamed.
        paced: Whether blocks came at the pace of a microphone.
        delays: Milliseconds of delay by design, term by term.
        median: Milliseconds that a block of 40 ms took.
        late: Likewise, the 99th percentile.
        greatest: Likewise.
        grown_mb: What the process's peak memory grew by after the first tenth, in units of 1e6
            bytes.
        holds: Whether all bounds are kept.
    """

    model: str
    threads: int
    sample_rate: int
    seconds: float
    paced: bool
    delays: dict[str, float]
    median: float
    late: float
    greatest: float
    grown_mb: float
    holds: bool


def stream(
    *,
    model: Annotated[str, Parameter(alias="-m")],
    recording: Path | None = None,
    seconds: float = 300.0,
    rate: int = 48_000,
    paced: Annotated[bool, Parameter(negative=())] = False,
    threads: int | None = None,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Measure what a live conversion takes, in blocks of 40 ms.

    Exits with 1 where a block takes more than 12 ms in the median or 30 ms in the 99th percentile,
    or where the model looks more than 100 ms ahead.

    Args:
        model: Name or path of a voice converter.
        recording: What is repeated until it is long enough; without it, noise.
        seconds: Length of the stream.
        rate: Samples per second of it.
        paced: Let blocks come at the pace of a microphone, and wait between them, as live; by
            default the next one follows at once.
        threads: CPU threads; by default all cores this process may use.
        json: Print one JSON object.

    Raises:
        InputError: The recording cannot be read, or the model cannot stream.
        ModelNotFoundError: No model answers to the name.
    """
    if seconds < 10:
        raise UsageError(f"--seconds {seconds:g}: at least 10 are needed")
    cores = default_threads() if threads is None else check_threads(threads)
    converter = load_converter(resolve(model), device="cpu", threads=cores)
    opened = converter.stream(sample_rate=rate)
    times, grown = _run(opened, _blocks(read_speech(recording, rate), rate, seconds), paced=paced)
    median, late = statistics.median(times), float(np.percentile(times, 99))
    delays = {name: 1000 * value for name, value in opened.delays.items()}
    cost = StreamCost(
        model=model,
        threads=cores,
        sample_rate=rate,
        seconds=seconds,
        paced=paced,
        delays=delays,
        median=median,
        late=late,
        greatest=max(times),
        grown_mb=grown,
        holds=median <= STEP_BOUND and late <= LATE_BOUND and delays["model"] <= AHEAD_BOUND,
    )
    if json:
        sys.stdout.write(msgspec.json.encode(asdict(cost)).decode() + "\n")
    else:
        sys.stdout.write(_sentence(cost) + "\n")
    return 0 if cost.holds else 1


def _sentence(cost: StreamCost) -> str:
    terms = ", ".join(f"{name} {value:.1f}" for name, value in cost.delays.items())
    pace = "paced" if cost.paced else "at once"
    return (
        f"{cost.model}, {cost.threads} threads, {cost.seconds:g} s at {cost.sample_rate} Hz, "
        f"{pace}: {cost.median:.1f} ms a block of 40 ms (at most {STEP_BOUND:g}), 99th percentile "
        f"{cost.late:.1f} (at most {LATE_BOUND:g}), greatest {cost.greatest:.1f}; behind by design "
        f"{sum(cost.delays.values()):.1f} ms ({terms}; model at most {AHEAD_BOUND:g}); memory grew "
        f"by {cost.grown_mb:.1f} MB: {'holds' if cost.holds else 'MISSED'}"
    )


def _run(
    opened: VoiceStream, blocks: Iterator[np.ndarray], *, paced: bool
) -> tuple[list[float], float]:
    """Return milliseconds of each block once it is warm, and the MB that memory grew by."""
    times: list[float] = []
    peaks: list[float] = []
    begun = time.perf_counter()
    for number, block in enumerate(blocks):
        if paced:
            time.sleep(max(0.0, begun + _BLOCK_SECONDS * number - time.perf_counter()))
        before = time.perf_counter()
        opened.push(block)
        if number >= _WARM_UP:
            times.append(1000 * (time.perf_counter() - before))
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6)
    return times, peaks[-1] - peaks[len(peaks) // 10]


def _blocks(samples: np.ndarray, rate: int, seconds: float) -> Iterator[np.ndarray]:
    length = round(_BLOCK_SECONDS * rate)
    for number in range(int(seconds / _BLOCK_SECONDS)):
        places = np.arange(number * length, (number + 1) * length) % len(samples)
        yield samples[places]
