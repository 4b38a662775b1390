"""Whether words survive: machines speak them, and a recogniser that knows a closed grammar listens.

Speakers are flite's voices; the recogniser is PocketSphinx with its model of US English.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from anamorph.audio import Audio
from anamorph.errors import UnavailableError

VOICES: Final = ("kal16", "awb", "rms", "slt")
_DIGITS: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_COMMANDS: Final = (
    ("turn on", "turn off", "switch on", "switch off"),
    ("the light", "the radio", "the heating", "the television", "the music"),
    ("in the kitchen", "in the bedroom", "in the garden", "in the bathroom"),
)
_LENGTH: Final = 5  # digits of an utterance
_RATE: Final = 16_000
_FULL_SCALE: Final = 32767


@dataclass(frozen=True)
class Utterance:
    """What one voice says.

    Attributes:
        voice: Of flite.
        words: All lower case.
        audio: The sound.
    """

    voice: str
    words: str
    audio: Audio


def grammar() -> str:
    """Return the grammar of all that is said, in JSGF."""
    digit = " | ".join(_DIGITS)
    command = " ".join(f"( {' | '.join(choices)} )" for choices in _COMMANDS)
    return (
        "#JSGF V1.0;\ngrammar closed;\n"
        f"public <utterance> = {' '.join(['<digit>'] * _LENGTH)} | {command};\n"
        f"<digit> = {digit};\n"
    )


def draw_sentence(generator: np.random.Generator) -> str:
    """Draw five digits or a command."""
    if generator.random() < 0.5:
        return " ".join(generator.choice(_DIGITS, _LENGTH))
    return " ".join(str(generator.choice(choices)) for choices in _COMMANDS)


def speak(count: int, *, voices: Sequence[str] = VOICES, seed: int = 0) -> list[Utterance]:
    """Let flite's voices take turns.

    Args:
        count: Utterances in all.
        voices: Names that ``flite -lv`` lists.
        seed: Of what is said.

    Raises:
        UnavailableError: flite is not installed.
    """
    if not shutil.which("flite"):
        raise UnavailableError(
            "utterances are spoken by flite, which is not installed; on Debian: apt-get install "
            "flite"
        )
    generator = np.random.default_rng(seed)
    made = []
    with tempfile.TemporaryDirectory(prefix="anamorph-words-") as folder:
        file = Path(folder) / "spoken.wav"
        for number in range(count):
            voice, words = voices[number % len(voices)], draw_sentence(generator)
            command = ["flite", "-voice", voice, "-t", words, "-o", str(file)]
            subprocess.run(command, check=True, capture_output=True)
            made.append(Utterance(voice, words, Audio.open(file)))
    return made


class Recogniser:
    """PocketSphinx, which can hear nothing but `grammar`.

    Raises:
        UnavailableError: pocketsphinx is not installed.
    """

    def __init__(self) -> None:
        try:
            from pocketsphinx import Decoder
        except ImportError as error:
            raise UnavailableError(
                f"words are recognised by pocketsphinx ({error}); pip install 'anamorph[evaluate]'"
            ) from None
        self._decoder: Any = Decoder(lm=None, samprate=_RATE, loglevel="FATAL")
        self._decoder.add_jsgf_string("closed", grammar())
        self._decoder.activate_search("closed")

    def hear(self, audio: Audio) -> str:
        """Return the words of a recording, all lower case; none where it hears none."""
        samples = audio.mono().resample(_RATE).samples
        pulses = np.rint(np.clip(samples, -1, 1) * _FULL_SCALE).astype("<i2").tobytes()
        self._decoder.start_utt()
        self._decoder.process_raw(pulses, full_utt=True)
        self._decoder.end_utt()
        heard = self._decoder.hyp()
        return str(heard.hypstr) if heard else ""


def word_error_rate(said: Sequence[str], heard: Sequence[str]) -> float:
    """Return substitutions, deletions and insertions as a share of the words that were said."""
    import jiwer

    return float(jiwer.wer(list(said), list(heard)))
