import json
from typing import Any

import pytest
from msgspec.structs import fields, replace
from tests.runtime.hostile_models import assert_one_line
from tests.runtime.tiny_models import upscaler_card

from anamorph import card as cards
from anamorph.card import Calibration, Card, Dataset, Gate, Latent, Metric, Port, Provenance
from anamorph.errors import ModelFileError

CONTROLS = ["\x1b[2J", "a\nb", "\x00", "\x7f", "\x9b", "\u2028", "\u202e", "\u2066"]


def _full_card() -> Card:
    """Return a card on which every part and every text is filled in."""
    return replace(
        upscaler_card(),
        family="tiny",
        family_digest="d",
        description="Makes Größe, 大きさ and 👨‍👩‍👧 larger.",
        labels=("cat",),
        latent_width=2,
        latents=(Latent(mean=0, deviation=1, divergence=0.5),) * 2,
        prior="normal",
        calibrations={
            "score": Calibration(threshold=1, false_positive_rate=0.1, quantiles={"0.5": 0.1})
        },
        attribution="Somebody",
        provenance=Provenance(
            recipe="tiny",
            config={"data_name": "photographs", "sizes": [1, {"unit": "px"}]},
            seed=1,
            steps=1,
            datasets=(Dataset(name="set", licence="CC0-1.0", digest="0" * 64, items=1),),
            code_revision="abc",
            date="2026-11-22",
        ),
        metrics=(Metric(name="psnr_y", on="Set5", value=30, unit="dB"),),
        gate=Gate(
            shapes=((1, 3, 8, 8),),
            greatest_error=0,
            tolerance=1e-4,
            onnxruntime="1.32.0",
            pytorch="2.13.0",
        ),
        digest="0" * 64,
        minimum_onnxruntime="1.15",
    )


def _fields(card: Card) -> Any:
    return json.loads(cards.encode(card))


def _decode(fields: Any) -> Card:
    return cards.decode(json.dumps(fields).encode(), "m.onnx")


def _refused(fields: Any, reason: str) -> None:
    with pytest.raises(ModelFileError, match="does not follow schema") as caught:
        _decode(fields)
    assert_one_line(caught, "m.onnx", "export the model again")
    assert reason in str(caught.value)
    assert str(caught.value).isprintable()


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Return the container and the key of every text within JSON values."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for key, part in items:
        if isinstance(part, str):
            found.append((value, key))
        elif isinstance(part, dict | list):
            found += _places(part)
    return found


def test_a_full_card_survives_a_round_trip() -> None:
    card = _full_card()
    assert cards.decode(cards.encode(card), "m.onnx") == card
    empty = {field.name for field in fields(Card) if getattr(card, field.name) in ("", (), None)}
    assert not empty, "the tests below try every text"


@pytest.mark.parametrize("control", CONTROLS)
def test_control_characters_are_refused_in_every_text(control: str) -> None:
    count = len(_places(_fields(_full_card())))
    assert count > 40
    for index in range(count):
        changed = _fields(_full_card())
        container, key = _places(changed)[index]
        container[key] += control
        _refused(changed, "$")


def test_control_characters_are_refused_in_keys() -> None:
    changed = _fields(_full_card())
    changed["provenance"]["config"]["a\x1b[2J"] = 1
    _refused(changed, "Control characters in text - at `$.provenance.config (a key)`")


@pytest.mark.parametrize("name", ["role", "family", "name"])
@pytest.mark.parametrize("value", ["../x", "a/b", "A", "a\n", "a" * 101])
def test_what_names_files_is_plain(name: str, value: str) -> None:
    _refused({**_fields(_full_card()), name: value}, f"$.{name}")


@pytest.mark.parametrize("value", ["newest", "1.20\n", "9" * 5000])
def test_the_least_onnx_runtime_is_a_version(value: str) -> None:
    _refused({**_fields(_full_card()), "minimum_onnxruntime": value}, "$.minimum_onnxruntime")


@pytest.mark.parametrize(
    ("name", "greatest"),
    [
        ("scale", 16),
        ("size_multiple", 4096),
        ("minimum_size", 4096),
        ("alignment", 4096),
        ("context_before", 1_000_000),
        ("context_after", 1_000_000),
        ("sample_rate", 768_000),
        ("latent_width", 1_000_000),
    ],
)
def test_sizes_are_bounded(name: str, greatest: int) -> None:
    known = _fields(upscaler_card())
    assert getattr(_decode({**known, name: greatest}), name) == greatest
    for beyond in (-1, greatest + 1, 10**12, 10**30):
        _refused({**known, name: beyond}, f"$.{name}")


def test_alignment_and_multiple_have_a_small_common_multiple() -> None:
    known = _fields(upscaler_card())
    assert _decode({**known, "alignment": 64, "size_multiple": 48}).alignment == 64
    _refused({**known, "alignment": 4095, "size_multiple": 4096}, "$.alignment")


def test_ports_may_be_bounded_on_one_side_but_not_inside_out() -> None:
    port = Port(name="energy", meaning="energy", axes=("batch",), minimum=0.0)
    card = replace(upscaler_card(), task="detect", inputs=(port,))
    assert cards.decode(cards.encode(card), "m.onnx") == card
    bad = replace(card, inputs=(replace(port, maximum=-1.0),))
    _refused(_fields(bad), "Minimum 0 above maximum -1")


@pytest.mark.parametrize("depth", [300, 900, 1000, 5000, 100_000])
def test_deep_nesting_is_refused_or_harmless(depth: int) -> None:
    text = json.dumps(_fields(_full_card()))
    for key, deep in (
        ('"data_name": ', "[" * depth + "]" * depth + ', "x": '),
        ('"schema": ', '[1, 0], "x": ' + "[" * depth + "]" * depth + ', "schema": '),
    ):
        data = text.replace(key, key + deep).encode()
        try:
            cards.decode(data, "m.onnx")
        except ModelFileError as error:
            assert "\n" not in str(error)  # noqa: PT017


def test_printable_keeps_all_but_controls() -> None:
    assert cards.printable("Größe 大\x1b[2J\u202e\n") == "Größe 大?[2J??"
