"""Converters measured: beside nothing done and WORLD, in pitch, and by words that survive."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.runtime.tiny_voices import tiny_converter, tiny_vocoder
from tests.training.conftest import spoken_wave

from anamorph.audio import Audio
from anamorph.cli import main
from anamorph.errors import UnavailableError
from anamorph.picture import Picture
from anamorph_training.data.speech import write_wav
from anamorph_training.evaluation import words, world

RATE = 22050


@pytest.mark.slow
def test_converters_stand_beside_what_is_unconverted_and_world(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = map(str, folders)
    model, out = tiny_converter(tmp_path / "near.onnx"), tmp_path / "made"
    arguments = ["-m", str(model), "--source", source, "--target", target, "--out", str(out)]
    world_too = ["--world-source", source, "--world-target", target]
    assert main(["evaluate", "converter", *arguments, *world_too, "--json"]) == 0
    rows = {row["method"]: row for row in json.loads(capsys.readouterr().out)}
    assert list(rows) == ["unconverted", "WORLD, mean and variance", "near"]
    given, moved, near = (row["figures"] for row in rows.values())
    assert near["to_source"] == pytest.approx(given["to_source"], abs=0.05)  # it hardly filters
    assert moved["distortion"] < given["distortion"]
    assert len(list((out / "near" / "one").glob("*.wav"))) == 2
    sheet = tmp_path / "sheet.png"
    assert main(["evaluate", "converter", *arguments, "--sheet", str(sheet)]) == 0
    assert "unconverted" in capsys.readouterr().out
    assert Picture.open(sheet).pixels.shape[0] > 2 * 256  # two sentences, drawn
    assert main(["evaluate", "converter", *arguments, "--without", "b", "--json"]) == 0
    assert [row["files"] for row in json.loads(capsys.readouterr().out)] == [1, 1]


def test_world_needs_both_speakers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--source", str(tmp_path), "--target", str(tmp_path)]
    assert main(["evaluate", "converter", *arguments, "--world-source", str(tmp_path)]) != 0
    assert "--world-source and --world-target go together" in capsys.readouterr().err


def test_sources_that_would_replace_each_other_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = tmp_path / "one" / "test", tmp_path / "other" / "test"
    arguments = ["--target", str(folders[0]), "--out", str(tmp_path / "out")]
    for folder in folders:
        folder.mkdir(parents=True)
        write_wav(folder / "001.wav", np.zeros(RATE, np.float32), RATE)
        arguments += ["--source", str(folder)]
    assert main(["evaluate", "converter", *arguments]) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert f"{folders[1]}: has the name of {folders[0]}" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["converter", "vocoder"])
def test_models_of_one_name_are_refused(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pyworld", reason="the extra evaluate is not installed")
    write_wav(tmp_path / "001.wav", spoken_wave(0, seconds=0.5), RATE)
    make = tiny_converter if command == "converter" else tiny_vocoder
    folders = tmp_path / "one", tmp_path / "other"
    arguments: list[str] = []
    for folder in folders:
        folder.mkdir()
        arguments += ["-m", str(make(folder / "near.onnx"))]
    options = ["--source", "--target"] if command == "converter" else ["--data"]
    for option in options:
        arguments += [option, str(tmp_path)]
    assert main(["evaluate", command, *arguments]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert f"--model {folders[1] / 'near.onnx'}: two are named near" in said


def test_world_moves_pitch_to_the_targets(tmp_path: Path) -> None:
    pytest.importorskip("pyworld", reason="the extra evaluate is not installed")
    files = []
    for seed in (0, 4):
        files.append(tmp_path / f"{seed}.wav")
        write_wav(files[-1], spoken_wave(seed, seconds=1), RATE)
    source, target = (world.learn([file]) for file in files)
    made = tmp_path / "made.wav"
    audio = world.convert(Audio.open(files[0]), source, target)
    write_wav(made, np.array(audio.samples), RATE)
    assert np.abs(source.pitch[0] - target.pitch[0]) > 0.1
    assert world.learn([made]).pitch[0] == pytest.approx(target.pitch[0], abs=0.03)


@pytest.mark.slow
def test_low_and_high_voices_are_made_and_measured(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(tiny_converter(tmp_path / "near.onnx"))
    arguments = ["--source", str(folders[0]), "--target", str(folders[1])]
    pitches = ["--hertz", "100", "--hertz", "200"]
    assert main(["evaluate", "pitch", "-m", model, *arguments, *pitches]) == 0
    _, low, high, _ = capsys.readouterr().out.splitlines()
    for line, wanted in ((low, 100), (high, 200)):
        _, given, made, _ = line.split()
        assert float(given) == pytest.approx(wanted, rel=0.01)
        assert float(made) == pytest.approx(float(given), rel=0.06)  # it converts no pitch


def test_what_is_said_is_in_the_grammar() -> None:
    generator = np.random.default_rng(0)
    known = set(words.grammar().replace(";", " ").split())
    for _ in range(50):
        assert set(words.draw_sentence(generator).split()) <= known


def test_without_flite_the_cure_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(UnavailableError, match="apt-get install flite"):
        words.speak(1)


@pytest.mark.slow
def test_words_are_heard_until_they_drown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pocketsphinx", reason="the extra evaluate is not installed")
    if not shutil.which("flite"):
        pytest.skip("flite is not installed")
    model = str(tiny_converter(tmp_path / "near.onnx"))
    arguments = ["evaluate", "words", "-m", model, "--utterances", "12"]
    assert main([*arguments, "--out", str(tmp_path / "said"), "--json"]) == 0
    assert len(list((tmp_path / "said" / "rms").glob("*.wav"))) == 3
    rates = json.loads(capsys.readouterr().out)
    assert set(rates["near"]) == {"all", *words.VOICES}
    assert rates["unconverted"]["all"] < 0.1
    assert rates["near"]["all"] < 0.2
    recogniser = words.Recogniser()
    spoken = words.speak(4)
    noise = np.random.default_rng(0)
    drowned = [
        recogniser.hear(Audio(noise.normal(0, 0.3, len(one.audio.samples)), one.audio.sample_rate))
        for one in spoken
    ]
    assert words.word_error_rate([one.words for one in spoken], drowned) > 0.5
    assert main(arguments) == 0
    assert "word errors" in capsys.readouterr().out
