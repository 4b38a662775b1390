"""`anamorph evaluate voice` and `anamorph evaluate vocoder`: how good speech is, by measure."""

import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
from cyclopts import Parameter

from anamorph.errors import InputError
from anamorph_training.evaluation.sentences import find_sentences
from anamorph_training.evaluation.table import aligned
from anamorph_training.evaluation.voice import Features, Score, measure_recording, score
from anamorph_training.sheets import check_sheet

_SWITCH = Parameter(negative=())


def voice(
    *,
    converted: Path,
    target: Path,
    source: Path | None = None,
    without: Annotated[tuple[str, ...], Parameter(negative=(), show_default=False)] = (),
    figure: Path | None = None,
    json: Annotated[bool, _SWITCH] = False,
) -> None:
    """Measure how near converted speech comes to the target's voice, and how good it sounds.

    Mel-cepstral distortion under dynamic time warping (Kubichek, 1993; WORLD's envelope, 24
    coefficients), pitch along the same path, cosine similarity of speakers (Resemblyzer), and
    overall quality (DNSMOS). Files of one name are one sentence.

    Args:
        converted: Folder of converted recordings.
        target: Folder of recordings by the speaker who is wanted.
        source: Folder of recordings by the speaker who spoke, for the similarity to it.
        without: Leave out converted and source recordings of this name, such as 'lesson-*';
            repeatable.
        figure: Also write this PNG: every recording by its similarities, and pitches.
        json: Print one JSON object instead of a table.

    Raises:
        InputError: A folder holds no recordings, two of one name, or one of them no speech; or
            there is nothing that --without leaves out, or leaves.
        OutputError: The figure cannot be written; said before anything is measured.
        UnavailableError: The extra evaluate is not installed.
    """
    if figure is not None:
        check_sheet(figure)
    files = find_sentences([converted, *([source] if source else [])], without=without)
    made, wanted, *spoken = map(measure_files, (files[0], *find_sentences([target]), *files[1:]))
    scores = score(made, wanted, *spoken)
    if figure is not None:
        draw(figure, scores, wanted)
    if json:
        report = {"files": [plain(asdict(one)) for one in scores], "mean": plain(means(scores))}
        sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
        return
    sys.stdout.write(table(scores))


def vocoder(
    *,
    model: Annotated[tuple[str, ...], Parameter(alias="-m", negative=())] = ("vocoder-22k",),
    data: Path,
    phases_below: float | None = None,
    out: Path | None = None,
    json: Annotated[bool, _SWITCH] = False,
) -> None:
    """Take recordings to log-mel spectrograms and back, and measure what that costs.

    Args:
        model: Zoo name or file of a vocoder, or griffin-lim; repeat for several.
        data: Folder of recordings, searched with its sub-folders.
        phases_below: Hz. Also give the copies the recordings' own phases up to there, which tells
            what phases cost: a spectrogram does not tell them.
        out: Keep what the models make in this folder, one of each model's name in it.
        json: Print one JSON object instead of a table.

    Raises:
        InputError: The folder holds no recordings, two of one name, or a model is no vocoder.
        UnavailableError: The extra evaluate is not installed.
    """
    from anamorph_training.evaluation.copying import measure_copies

    files = find_sentences([data])[0]
    results = measure_copies(model, files, phases_below=phases_below, out=out)
    if json:
        sys.stdout.write(msgspec.json.encode([plain(asdict(one)) for one in results]).decode())
        sys.stdout.write("\n")
        return
    rows = [["", "log-mel error", "similarity to the speaker", "DNSMOS", "hum dB"]]
    for one in results:
        cells = (one.log_mel_error, one.similarity, one.dnsmos, one.hum)
        rows.append([one.name, *(number(cell, 3) for cell in cells)])
    sys.stdout.write(aligned(rows))


def measure_files(files: Sequence[Path]) -> list[Features]:
    """Measure recordings.

    Raises:
        InputError: One cannot be measured; the message names it.
    """
    measured = []
    for index, path in enumerate(files, start=1):
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[2K{path}: {index} of {len(files)}")
            sys.stderr.write("\r\x1b[2K" if index == len(files) else "")
            sys.stderr.flush()
        try:
            measured.append(measure_recording(path))
        except InputError as error:
            reason = str(error)
            raise InputError(reason if str(path) in reason else f"{path}: {reason}") from None
    return measured


def means(scores: Sequence[Score]) -> dict[str, Any]:
    """Return the mean of every figure, over the files that have it, and the share won over."""
    numbers = [field.name for field in fields(Score) if field.name != "name"]
    mean = {name: _mean([getattr(one, name) for one in scores]) for name in numbers}
    sided = [one.to_target > one.to_source for one in scores if not math.isnan(one.to_source)]
    mean["nearer_target"] = float(np.mean(sided)) if sided else math.nan
    return mean


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return float(np.mean(known)) if known else math.nan


def table(scores: Sequence[Score]) -> str:
    """Return one row per file, one for the mean, and how many are nearer the target."""
    head = ["", "distortion dB", "pitch error st", "pitch corr.", "pitch Hz"]
    rows = [[*head, "from target st", "to target", "to source", "DNSMOS"]]
    rows += [[one.name, *cells(asdict(one))] for one in scores]
    mean = means(scores)
    rows.append(["mean", *cells(mean)])
    text = aligned(rows)
    if not math.isnan(mean["nearer_target"]):
        text += f"nearer the target than the source: {mean['nearer_target']:.1%}\n"
    return text


def draw(path: Path, scores: Sequence[Score], target: Sequence[Features]) -> None:
    """Write a PNG: similarity to target against source, and pitch against the target's median."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    left.scatter([one.to_source for one in scores], [one.to_target for one in scores], s=14)
    left.plot([0, 1], [0, 1], color="grey", linewidth=1)
    left.set_xlabel("similarity to the source")
    left.set_ylabel("similarity to the target")
    right.hist([one.median_pitch for one in scores], bins=20)
    right.axvline(float(np.median([one.median_pitch for one in target])), color="black")
    right.set_xlabel("median pitch, Hz (line: the target's)")
    figure.savefig(path, dpi=100)


def cells(figures: dict[str, Any]) -> list[str]:
    """Return the cells of a row, from distortion to DNSMOS."""
    digits = {"distortion": 2, "pitch_error": 2, "pitch_correlation": 2, "median_pitch": 0}
    digits |= {"pitch_distance": 2, "to_target": 3, "to_source": 3, "dnsmos": 2}
    return [number(figures[name], count) for name, count in digits.items()]


def number(value: float, digits: int) -> str:
    """Return a number with so many decimals, or nothing for NaN."""
    return "" if math.isnan(value) else f"{value:.{digits}f}"


def plain(figures: dict[str, Any]) -> dict[str, Any]:
    """Return the same with null for what could not be measured: JSON has no NaN."""
    return {
        name: None if isinstance(value, float) and math.isnan(value) else value
        for name, value in figures.items()
    }
