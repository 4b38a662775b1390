"""`anamorph export` of runs of speech: what becomes part of the file is told in its card."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.training.conftest import spoken_wave

from anamorph.cli import main
from anamorph.model_file import read_card
from anamorph_export import converting
from anamorph_training.data.speech import write_wav
from anamorph_training.recipes import cyclegan_voice, vocoder

TINY: dict[str, Any] = {"device": "cpu", "threads": 1, "batch": 2, "steps": 2, "frames": 16}
TINY |= {"tensorboard": False, "channels": 16, "hidden": 16, "blocks": 1}


@pytest.mark.slow
def test_a_converter_tells_of_the_vocoder_within(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(converting, "GREATEST_DISTANCE_SHARE", 1e6)
    data, other = tmp_path / "voice", tmp_path / "other"
    for seed in range(6):
        folder = (data, other)[seed % 2]
        folder.mkdir(exist_ok=True)
        write_wav(folder / f"{seed}.wav", spoken_wave(seed, seconds=0.8), 22050)
    voice, speaker = tmp_path / "voice-run", tmp_path / "vocoder-run"
    options: dict[str, Any] = {
        "source": (data,),
        "target": (other,),
        "variants": 0,
        "accept_faults": True,
    }
    cyclegan_voice.train(cyclegan_voice.Config(**TINY, **options), voice)
    vocoder.train(vocoder.Config(**TINY, data=(data,), data_name="mine"), speaker)
    arguments = ["export", str(voice), "--vocoder", str(speaker)]
    back = [*arguments, "-o", str(tmp_path / "back.onnx"), "--direction", "source"]
    assert main(back) == 1
    assert "kept one recording of the source" in capsys.readouterr().err
    shutil.copy(voice / "holdout" / "00.wav", voice / "holdout" / "01.wav")
    for direction in ("target", "source"):
        file = tmp_path / f"{direction}.onnx"
        assert main([*arguments, "-o", str(file), "--direction", direction]) == 0
        made = read_card(file).provenance
        assert made is not None
        (part,) = made.parts
        assert (part.recipe, part.steps, part.datasets[0].name) == ("vocoder", 2, "mine")
    capsys.readouterr()
    assert main(["info", str(file)]) == 0
    assert "recipe vocoder, 2 steps" in capsys.readouterr().out
    alone = ["export", str(speaker), "-o", str(tmp_path / "speaker.onnx")]
    for foreign, owners in (
        (["--test-set", "Set5=absent"], "upscalers"),
        (["--vocoder", str(speaker)], "voice converters"),
        (["--direction", "source"], "runs of cyclegan_voice"),
    ):
        assert main([*alone, *foreign]) == 1
        error = capsys.readouterr().err
        assert f"{foreign[0]}: is for {owners}; drop it for a run of vocoder" in error
    wrong = ["export", str(voice), "--vocoder", str(voice), "-o", str(file), "--force"]
    assert main(wrong) == 1
    assert "is no run of the recipe vocoder" in capsys.readouterr().err
