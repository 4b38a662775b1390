"""`anamorph evaluate converter`, `pitch` and `words`: what converters do to given speech."""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import numpy as np
from cyclopts import Parameter
from numpy.typing import NDArray

from anamorph.audio import Audio
from anamorph.errors import InputError, UsageError
from anamorph.loading import load_converter
from anamorph.loudness import measure
from anamorph_training.copy_synthesis import draw_spectrogram
from anamorph_training.data.recordings import find_recordings
from anamorph_training.data.speech import write_wav
from anamorph_training.data.voices import SAMPLE_RATE
from anamorph_training.evaluation import world
from anamorph_training.evaluation.pitch import median_pitch, move_pitch
from anamorph_training.evaluation.sentences import find_sentences, refuse_doubles
from anamorph_training.evaluation.table import aligned
from anamorph_training.evaluation.unfinished import open_run
from anamorph_training.evaluation.voice import Features, measure_audio, score
from anamorph_training.evaluation.voice_command import (
    cells,
    means,
    measure_files,
    number,
    plain,
)
from anamorph_training.evaluation.words import Recogniser, speak, word_error_rate
from anamorph_training.sheets import check_sheet, write_sheet

UNCONVERTED: Final = "unconverted"
_WORLD: Final = "WORLD, mean and variance"

_SHEET_ROWS: Final = 3
_SHEET_FRAMES: Final = 280

_SWITCH = Parameter(negative=())
_Models = Annotated[tuple[str, ...], Parameter(alias="-m", negative=())]
_Folders = Annotated[tuple[Path, ...], Parameter(negative=())]
_Method = Callable[[Audio], Audio]


@dataclass(frozen=True)
class Row:
    """Means over one speaker's recordings, converted by one method.

    Attributes:
        source: Folder of the recordings.
        method: What converted them.
        files: How many they are.
        figures: As `voice_command.means` returns them.
    """

    source: str
    method: str
    files: int
    figures: dict[str, Any]


def converter(
    *,
    model: _Models = (),
    source: _Folders,
    target: Path,
    without: Annotated[tuple[str, ...], Parameter(negative=(), show_default=False)] = (),
    world_source: Path | None = None,
    world_target: Path | None = None,
    vocoder: str = "vocoder-22k",
    out: Path | None = None,
    sheet: Path | None = None,
    json: Annotated[bool, _SWITCH] = False,
) -> None:
    """Convert recordings and measure them, beside the unconverted ones.

    Figures are those of `anamorph evaluate voice`, as means over each source.

    Args:
        model: Zoo name or file of a voice converter, or the folder of a run; repeat for several.
        source: Folder of recordings of one speaker; repeat for several speakers.
        target: Folder of recordings by the speaker who is wanted. What has the same name as a
            recording of a source is the same sentence.
        without: Leave out recordings of this name from every source, such as 'lesson-*';
            repeatable.
        world_source: Also convert by WORLD, with the statistics of these recordings of the source.
        world_target: Likewise of the target.
        vocoder: Zoo name, file or run of the vocoder that runs are heard through.
        out: Keep what is made in this folder: METHOD/SOURCE/NAME.wav.
        sheet: Also write this PNG: spectrograms of sentences of the first source, of what is made
            of them, and of the target's.
        json: Print one JSON object instead of a table.

    Raises:
        InputError: A folder holds no recordings, two of one name, one of them no speech, or a
            model is no voice converter; or --out is given for two sources of one name, or there
            is nothing that --without leaves out, or leaves.
        OutputError: The sheet cannot be written; said before anything is measured.
        UnavailableError: The extra evaluate is not installed.
    """
    if sheet is not None:
        check_sheet(sheet)
    if not source:
        raise UsageError("--source is needed: a folder of recordings of one speaker")
    if (world_source is None) != (world_target is None):
        raise UsageError("--world-source and --world-target go together")
    files = find_sentences(source, without=without)
    (wanted_files,) = find_sentences([target])
    if out is not None:
        refuse_doubles(
            source,
            name=lambda folder: folder.name,
            reason="--out keeps what is made of a source under its folder's name; measure them one "
            "at a time",
        )
    methods: dict[str, _Method] = {}
    if world_source is not None and world_target is not None:
        methods[_WORLD] = _world(world_source, world_target)
    methods |= _open(model, vocoder)
    if sheet is not None:
        _draw(sheet, files[0], wanted_files, methods)
    wanted = measure_files(wanted_files)
    rows = []
    for folder, recordings in zip(source, files, strict=True):
        for row in _measure(folder, recordings, methods, wanted, out):
            rows.append(row)
            if not json and sys.stderr.isatty():
                sys.stderr.write(f"{row.source}: {row.method} measured\n")
    if json:
        report = [asdict(row) | {"figures": plain(row.figures)} for row in rows]
        sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
        return
    sys.stdout.write(_table(rows))


def pitch(
    *,
    model: _Models,
    source: Path,
    target: Path,
    hertz: Annotated[tuple[float, ...], Parameter(negative=())] = (80, 110, 150, 200, 250),
    sentences: int = 8,
    vocoder: str = "vocoder-22k",
) -> None:
    """Convert sentences whose median pitch WORLD moved, and measure where it went.

    What is given is measured as well; it comes to within 1 % of what is asked for.

    Args:
        model: Zoo name or file of a voice converter, or the folder of a run; repeat for several.
        source: Folder of recordings of one speaker.
        target: Folder of recordings by the speaker who is wanted.
        hertz: Median pitches, over all sentences, of what is converted.
        sentences: Recordings of the source that are taken.
        vocoder: Zoo name, file or run of the vocoder that runs are heard through.

    Raises:
        InputError: A folder holds no recordings, one of them no speech, or a model is no voice
            converter.
        UnavailableError: The extra evaluate is not installed.
    """
    methods = _open(model, vocoder)
    spoken = [Audio.open(path).mono() for path in find_recordings([source])[:sentences]]
    goal = median_pitch([Audio.open(path).mono() for path in find_recordings([target])])
    rows = [["", "given Hz", "made Hz", "from the target's, semitones"]]
    for wanted in hertz:
        moved = move_pitch(spoken, wanted)
        given = median_pitch(moved)
        for name, convert in methods.items():
            made = median_pitch([convert(audio) for audio in moved])
            apart = 12 * np.log2(made / goal)
            rows.append([name, f"{given:.1f}", f"{made:.1f}", f"{apart:+.2f}"])
    sys.stdout.write(aligned(rows))
    sys.stdout.write(f"the target's median is {goal:.1f} Hz\n")


def words(
    *,
    model: _Models = (),
    utterances: int = 200,
    seed: int = 0,
    vocoder: str = "vocoder-22k",
    out: Path | None = None,
    json: Annotated[bool, _SWITCH] = False,
) -> None:
    """Convert what machines say, and count the words that a recogniser gets wrong.

    flite's voices say digits and commands; PocketSphinx, which knows their grammar, listens.

    Args:
        model: Zoo name or file of a voice converter, or the folder of a run; repeat for several.
        utterances: How many are spoken; the voices take turns.
        seed: Of what is said.
        vocoder: Zoo name, file or run of the vocoder that runs are heard through.
        out: Keep what is said in this folder: VOICE/NUMBER.wav.
        json: Print one JSON object instead of a table.

    Raises:
        InputError: A model is no voice converter.
        UnavailableError: flite or the extra evaluate is not installed.
    """
    methods: dict[str, _Method] = {UNCONVERTED: lambda audio: audio}
    methods |= _open(model, vocoder)
    recogniser = Recogniser()
    spoken = speak(utterances, seed=seed)
    if out is not None:
        for index, one in enumerate(spoken):
            _write(out / one.voice / f"{index:03}.wav", one.audio)
    said = [one.words for one in spoken]
    rates: dict[str, dict[str, float]] = {}
    for method, convert in methods.items():
        heard = [recogniser.hear(convert(one.audio)) for one in spoken]
        rates[method] = {"all": word_error_rate(said, heard)}
        for voice in dict.fromkeys(one.voice for one in spoken):
            pairs = [
                (one.words, words)
                for one, words in zip(spoken, heard, strict=True)
                if one.voice == voice
            ]
            rates[method][voice] = word_error_rate(*zip(*pairs, strict=True))
    if json:
        sys.stdout.write(msgspec.json.encode(rates).decode() + "\n")
        return
    voices = list(rates[UNCONVERTED])
    table = [["word errors", *voices]]
    table += [[name, *(f"{one[voice]:.1%}" for voice in voices)] for name, one in rates.items()]
    sys.stdout.write(aligned(table))


def _open(models: Sequence[str], vocoder: str) -> dict[str, _Method]:
    """Return what converts a recording, by the name of its file or run."""
    methods: dict[str, _Method] = {}
    for name in models:
        run = Path(name).is_dir()
        method = Path(name).name if run else Path(name).stem
        if method in methods:
            raise UsageError(f"--model {name}: two are named {method}; rename one of them")
        methods[method] = open_run(Path(name), vocoder) if run else load_converter(name).convert
    return methods


def _measure(
    folder: Path,
    files: Sequence[Path],
    methods: dict[str, _Method],
    wanted: Sequence[Features],
    out: Path | None,
) -> Iterator[Row]:
    sounds = {path.stem: Audio.open(path).mono() for path in files}
    given = [_features(name, audio, folder) for name, audio in sounds.items()]
    yield Row(str(folder), UNCONVERTED, len(given), means(score(given, wanted, given)))
    for method, convert in methods.items():
        made = {name: convert(audio) for name, audio in sounds.items()}
        if out is not None:
            for name, audio in made.items():
                _write(out / method / folder.name / f"{name}.wav", audio)
        measured = [_features(name, audio, folder) for name, audio in made.items()]
        yield Row(str(folder), method, len(made), means(score(measured, wanted, given)))


def _draw(
    sheet: Path, files: Sequence[Path], target: Sequence[Path], methods: dict[str, _Method]
) -> None:
    """Draw the first sentences that the target speaks as well."""
    same = {path.stem: path for path in target}
    pairs = [(path, same[path.stem]) for path in files if path.stem in same][:_SHEET_ROWS]
    if not pairs:
        raise InputError(
            f"{target[0].parent}: no recording has the name of one of the source's to draw"
        )
    rows = []
    for given, wanted in pairs:
        audio = Audio.open(given).mono()
        sounds = [audio, *(convert(audio) for convert in methods.values()), Audio.open(wanted)]
        rows.append([_picture(one) for one in sounds])
    write_sheet(sheet, ["source", *methods, "target"], rows)


def _picture(audio: Audio) -> NDArray[np.uint8]:
    samples = np.array(audio.mono().resample(SAMPLE_RATE).samples)
    level = 10 ** (measure([samples[None]], SAMPLE_RATE).gain_db / 20)
    return draw_spectrogram((level * samples).astype(np.float32))[:, :_SHEET_FRAMES]


def _write(path: Path, audio: Audio) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_wav(path, np.array(audio.samples), audio.sample_rate)


def _features(name: str, audio: Audio, folder: Path) -> Features:
    try:
        return measure_audio(name, audio)
    except InputError as error:
        raise InputError(f"{folder / name}: {error}") from None


def _world(source: Path, target: Path) -> _Method:
    source_statistics, target_statistics = (
        world.learn(find_recordings([folder])) for folder in (source, target)
    )
    return lambda audio: world.convert(audio, source_statistics, target_statistics)


def _table(rows: Sequence[Row]) -> str:
    head = ["source", "", "files", "distortion dB", "pitch error st", "pitch corr."]
    table = [
        [*head, "pitch Hz", "from target st", "to target", "to source", "nearer target", "DNSMOS"]
    ]
    for row in rows:
        figures = cells(row.figures)
        nearer = number(100 * row.figures["nearer_target"], 1) + " %"
        table.append([row.source, row.method, str(row.files), *figures[:-1], nearer, figures[-1]])
    return aligned(table)
