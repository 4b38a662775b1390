"""Files to try things on: NOTICE tells where they come from."""

from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).parent

SENTENCE: Final = _HERE / "sentence.flac"
CAT: Final = _HERE / "cat.jpg"
