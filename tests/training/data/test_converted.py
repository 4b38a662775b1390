"""Converted copies beside their recordings: at one time, at one level, by seed and step."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.training.conftest import spoken_wave

from anamorph.audio import Audio
from anamorph.errors import InputError
from anamorph_training.data.converted import Spoken, draw_converted, prepare_converted
from anamorph_training.data.recordings import Recording, find_recordings
from anamorph_training.data.speech import write_wav
from anamorph_training.evaluation.unfinished import open_run
from anamorph_training.recipes import cyclegan_voice, vocoder
from anamorph_training.spectra import log_mel

RATE = 22050


def spoken(count: int = 2) -> list[Spoken]:
    """Return recordings with their own spectrograms: the converter that is perfect."""
    made = []
    for seed in range(count):
        pulses = np.rint(0.5 * spoken_wave(seed, seconds=1) * 32767).astype(np.int16)
        recording = Recording(pulses, RATE / 2, Path(f"{seed}.wav"))
        whole = recording.cut(0, len(pulses) // 256 * 256)
        mel = log_mel(torch.from_numpy(whole)[None])[0].numpy().astype(np.float16)
        made.append(Spoken(recording, (mel,)))
    return made


def test_spectrograms_lie_at_the_time_and_level_of_their_sound() -> None:
    drawn = draw_converted(
        0, spoken=spoken(), batch=4, samples=40 * 256, seed=1, gain_db=(-12.0, -6.0)
    )
    assert drawn.mel is not None
    own = log_mel(drawn.waveform)
    inner = slice(4, -4)  # frames at the ends of a stretch see zeros beyond it
    loud = own[:, :, inner] > -6
    assert (own[:, :, inner] - drawn.mel[:, :, inner])[loud].abs().max() < 0.02


def test_seed_and_step_decide_the_stretches() -> None:
    given = spoken()

    def draw(step: int, seed: int = 1) -> torch.Tensor:
        return draw_converted(step, spoken=given, batch=2, samples=2560, seed=seed).waveform

    assert torch.equal(draw(1), draw(1))
    assert not torch.equal(draw(1), draw(2))
    assert not torch.equal(draw(1), draw(1, seed=2))


def recorded(folder: Path, count: int = 3) -> Path:
    folder.mkdir()
    for seed in range(count):
        write_wav(folder / f"{seed}.wav", spoken_wave(seed, seconds=0.6), RATE)
    return folder


@pytest.mark.slow
def test_a_vocoder_learns_from_what_a_converter_makes(tmp_path: Path) -> None:
    pytest.importorskip("pyworld", reason="the extra evaluate is not installed")
    data, run, out = recorded(tmp_path / "voice"), tmp_path / "run", tmp_path / "vocoder"
    tiny: dict[str, Any] = {
        "device": "cpu",
        "threads": 1,
        "batch": 2,
        "steps": 2,
        "tensorboard": False,
    }
    cyclegan_voice.train(
        cyclegan_voice.Config(
            **tiny,
            source=(data,),
            target=(data,),
            accept_faults=True,
            channels=8,
            hidden=8,
            blocks=1,
            variants=0,
            frames=16,
        ),
        run,
    )
    config = vocoder.Config(
        **tiny, data=(data,), voice=run, channels=8, hidden=8, blocks=1, frames=8
    )
    speech, pairs = prepare_converted(
        config, run, find_recordings([data]), report=lambda line: None
    )
    assert (len(pairs), len(speech.held)) == (2, 1)
    assert pairs[0].mels[0].shape == (80, len(pairs[0].recording.samples) // 256)
    vocoder.train(config, out)
    assert (out / "provenance.json").exists()
    audio = Audio(spoken_wave(5, seconds=0.7), RATE)
    assert open_run(run, str(out))(audio).samples.shape == audio.samples.shape
    with pytest.raises(InputError, match="is no run of the recipe vocoder"):
        open_run(run, str(run))
    with pytest.raises(InputError, match="is no voice converter that was trained here"):
        prepare_converted(config, out, find_recordings([data]), report=lambda line: None)
