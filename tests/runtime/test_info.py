"""What `anamorph info` tells of how a model came to be."""

from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.runtime.tiny_models import upscaler_card

from anamorph.card import Ancestor, Provenance
from anamorph.cli import main
from anamorph.commands.info import rows


def test_starts_parts_and_teachers_are_told(tmp_path: Path) -> None:
    file = tmp_path / "m.onnx"
    file.write_bytes(b"")
    voice = Ancestor(recipe="cyclegan_voice", steps=3)
    copies = Ancestor(recipe="cyclegan_voice", steps=7)
    vocoder = Ancestor(recipe="vocoder", steps=15, start=Ancestor("vocoder", 10), voice=voice)
    made = Provenance(
        "cyclegan_voice", {}, seed=1, steps=3, start=copies, parts=(vocoder,), voice=voice
    )
    told = dict(rows(replace(upscaler_card(), provenance=made), file))
    assert told["began with"].startswith("recipe cyclegan_voice, 7 steps")
    assert told["taught by"].startswith("recipe cyclegan_voice, 3 steps")
    assert "taught by recipe cyclegan_voice, 3 steps" in told["contains"]
    assert "before that recipe vocoder, 10 steps" in told["contains"]


def test_only_upscalers_enlarge(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    told = {line.split("@")[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "upscale x4" in told["photo-x4"]
    assert " convert   " in told["nathalie"]
