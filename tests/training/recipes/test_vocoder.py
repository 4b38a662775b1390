"""The recipe of vocoders: what taught one is told, and stays the same."""

import json
from pathlib import Path

import pytest
from tests.training.conftest import spoken_wave
from tests.training.recipes.test_contract import configure, make_recordings

from anamorph.errors import InputError
from anamorph_training.data.speech import write_wav
from anamorph_training.loop.warm_start import describe_run
from anamorph_training.recipes import cyclegan_voice, vocoder

SHORT = {"steps": 4, "check_every": 2, "sample_every": 4}


def test_a_run_tells_of_its_converter_and_continues_with_no_other(tmp_path: Path) -> None:
    pytest.importorskip("pyworld", reason="the extra evaluate is not installed")
    data, voice, out = tmp_path / "data", tmp_path / "voice", tmp_path / "vocoder"
    make_recordings(data, 3)
    cyclegan_voice.train(configure("cyclegan_voice", data, **SHORT), voice)
    vocoder.train(configure("vocoder", data, **SHORT, voice=voice), out)
    told = json.loads((out / "provenance.json").read_text())["voice"]
    assert told == describe_run(voice)
    assert (told["recipe"], told["steps"], len(told["checkpoint"])) == ("cyclegan_voice", 4, 64)
    assert describe_run(out)["voice"] == told  # as a start, too
    vocoder.train(configure("vocoder", data, **SHORT, voice=voice), out)
    with pytest.raises(InputError, match="its --voice has changed since it began"):
        vocoder.train(configure("vocoder", data, **SHORT), out)
    other = tmp_path / "other"
    cyclegan_voice.train(configure("cyclegan_voice", data, **SHORT | {"seed": 9}), other)
    with pytest.raises(InputError, match="its --voice has changed since it began"):
        vocoder.train(configure("vocoder", data, **SHORT, voice=other), out)


def test_a_very_short_recording_is_left_out_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_recordings(tmp_path / "data", 3)
    write_wav(tmp_path / "data" / "9.wav", spoken_wave(9, seconds=0.02), vocoder.SAMPLE_RATE)
    vocoder.train(configure("vocoder", tmp_path / "data", **SHORT), tmp_path / "run")
    assert "9.wav: holds 441 samples of speech, 2048 are the least" in capsys.readouterr().err
    assert len(list((tmp_path / "run" / "holdout").iterdir())) == 1


def test_a_voice_that_is_no_run_is_refused_before_a_run_begins(tmp_path: Path) -> None:
    make_recordings(tmp_path / "data", 2)
    config = configure("vocoder", tmp_path / "data", voice=tmp_path / "absent")
    with pytest.raises(InputError, match="absent: no such folder"):
        vocoder.train(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()
