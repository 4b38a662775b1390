"""Figures of speech: right on what is known, and skipped where their extra is not installed."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from tests.training.conftest import spoken_wave

from anamorph.cli import main
from anamorph.errors import InputError
from anamorph_training.data.speech import write_wav
from anamorph_training.evaluation.sentences import find_sentences
from anamorph_training.evaluation.voice import (
    Features,
    compare,
    mel_cepstrum,
    score,
    speaker,
    warp_matrix,
)

RATE = 22050


def features(name: str, *, embedding: list[float], shift: float = 0.0) -> Features:
    generator = np.random.default_rng(0)
    cepstrum = generator.normal(size=(40, 24))
    cepstrum[:, 0] += shift
    pitch = np.where(np.arange(40) % 4 == 0, 0, 120.0 * 2 ** (np.arange(40) / 40))
    direction = np.array(embedding, np.float32) / np.linalg.norm(embedding)
    return Features(name, cepstrum, pitch, direction.astype(np.float32), 3.0)


def test_a_recording_has_no_distance_to_itself() -> None:
    one = features("a", embedding=[1, 0])
    distortion, error, correlation = compare(one, one)
    assert (distortion, error) == (0, 0)
    assert correlation == pytest.approx(1)


def test_distortion_is_kubicheks() -> None:
    one, other = (features("a", embedding=[1, 0], shift=shift) for shift in (0.0, 0.01))
    expected = 10 / math.log(10) * math.sqrt(2) * 0.01
    assert compare(one, other)[0] == pytest.approx(expected, rel=1e-6)


def test_an_octave_is_twelve_semitones() -> None:
    one = features("a", embedding=[1, 0])
    higher = Features("a", one.cepstrum, 2 * one.pitch, one.embedding, 3.0)
    assert compare(one, higher)[1] == pytest.approx(12)
    silent = Features("a", one.cepstrum, 0 * one.pitch, one.embedding, 3.0)
    assert math.isnan(compare(one, silent)[1])
    assert math.isnan(silent.median_pitch)


def test_warping_of_nothing_changes_nothing() -> None:
    assert np.allclose(warp_matrix(10, 5, 0.0), np.eye(6, 10))


def test_a_warped_cepstrum_is_of_the_warped_envelope() -> None:
    """The mel-cepstrum's own spectrum, read at warped frequencies, is the envelope."""
    bins, warping = 257, 0.455
    omega = np.linspace(0, np.pi, bins)
    smooth = np.exp(2 * (0.8 * np.cos(omega) - 0.3 * np.cos(2 * omega)))[None]
    cepstrum = mel_cepstrum(smooth, order=40, warping=warping)[0]
    warped = omega + 2 * np.arctan(warping * np.sin(omega) / (1 - warping * np.cos(omega)))
    log_amplitude = sum(value * np.cos(order * warped) for order, value in enumerate(cepstrum))
    assert np.abs(log_amplitude - np.log(smooth[0]) / 2).max() < 1e-3


def test_pitch_is_told_from_the_median_of_all_target_frames() -> None:
    one = features("a", embedding=[1, 0])
    goal = one.median_pitch
    higher, silent = (
        Features("b", one.cepstrum, factor * one.pitch, one.embedding, 3.0) for factor in (2, 0)
    )
    same, octave, nothing = score([one, higher, silent], [one, silent])
    assert (same.pitch_distance, octave.pitch_distance) == pytest.approx((0, 12))
    assert octave.median_pitch == pytest.approx(2 * goal)
    assert math.isnan(nothing.pitch_distance)
    assert math.isnan(score([one], [silent])[0].pitch_distance)


def test_similarities_are_to_the_mean_speaker() -> None:
    target = [features("a", embedding=[1, 0]), features("b", embedding=[0.9, 0.1])]
    source = [features("a", embedding=[0, 1])]
    converted = [features("a", embedding=[1, 0.2]), features("c", embedding=[0, 1])]
    first, second = score(converted, target, source)
    assert first.to_target > 0.9
    assert first.to_source < 0.3
    assert second.to_source == pytest.approx(1)
    assert math.isnan(second.distortion)  # nobody else said it
    assert np.linalg.norm(speaker(target)) == pytest.approx(1)
    assert math.isnan(score(converted, target)[0].to_source)


@pytest.mark.slow
def test_the_command_measures_folders(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = map(str, folders)
    figure = tmp_path / "figure.png"
    arguments = ["--converted", one, "--target", one, "--source", other]
    assert main(["evaluate", "voice", *arguments, "--figure", str(figure), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["mean"]["distortion"] == 0
    assert report["mean"]["to_target"] > 0.9  # to the mean of two that one of is itself
    assert [row["name"] for row in report["files"]] == ["a", "b"]
    assert 1 <= report["mean"]["dnsmos"] <= 5
    assert figure.stat().st_size > 1000
    arguments = ["--converted", one, "--target", other, "--without", "b"]
    assert main(["evaluate", "voice", *arguments]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]] == ["a", "mean"]


@pytest.mark.slow
def test_copies_are_measured_beside_the_recordings(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "copies"
    arguments = ["-m", "griffin-lim", "--data", str(folders[0]), "--out", str(out), "--json"]
    assert main(["evaluate", "vocoder", *arguments]) == 0
    recordings, copies = json.loads(capsys.readouterr().out)
    assert recordings["log_mel_error"] == 0 < copies["log_mel_error"]
    assert len(list((out / "griffin-lim").glob("*.wav"))) == 2


def test_folders_that_hold_nothing_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("pyworld", reason="the extra evaluate is not installed")
    from anamorph_training.evaluation.voice_command import measure_files

    with pytest.raises(InputError, match="holds no recordings"):
        find_sentences([tmp_path])
    write_wav(tmp_path / "silent.wav", np.zeros(RATE, np.float32), RATE)
    with pytest.raises(InputError, match=r"silent\.wav: a recording holds no speech"):
        measure_files(find_sentences([tmp_path])[0])


def test_a_recording_too_short_to_copy_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pyworld", reason="the extra evaluate is not installed")
    write_wav(tmp_path / "click.wav", spoken_wave(0, seconds=0.1), RATE)
    assert main(["evaluate", "vocoder", "-m", "griffin-lim", "--data", str(tmp_path)]) == 1
    assert "click.wav: holds 0.10 s of sound" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["voice", "--converted", "{}", "--target", "{}"],
        ["vocoder", "-m", "griffin-lim", "--data", "{}"],
        ["converter", "--source", "{}", "--target", "{}"],
    ],
)
def test_two_recordings_of_one_name_are_refused(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in ("speaker1", "speaker2"):
        (tmp_path / folder).mkdir()
        write_wav(tmp_path / folder / "001.wav", np.zeros(RATE, np.float32), RATE)
    assert main(["evaluate", *(one.format(tmp_path) for one in arguments)]) == 1
    said = " ".join(capsys.readouterr().err.split())
    one, other = (str(tmp_path / folder / "001.wav") for folder in ("speaker1", "speaker2"))
    assert f"{other}: has the name of {one}" in said
    assert "rename one" in said
