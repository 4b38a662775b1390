import errno
import io
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from msgspec.structs import replace
from tests.runtime import hostile_models
from tests.runtime.hostile_models import assert_one_line, forbid, write_with_card
from tests.runtime.tiny_models import tiny_upscaler, upscaler_card, upscaler_proto

from anamorph import card as cards
from anamorph.card import MAX_CARD_BYTES, METADATA_KEY
from anamorph.errors import ModelFileError, ModelNotFoundError
from anamorph.model_file import embed_card, model_digest, parse_model, read_card, read_model
from anamorph.protobuf import encode_bytes, encode_varint

GRAPH, METADATA = 7, 14


def _entry(value: bytes, key: bytes = METADATA_KEY.encode()) -> bytes:
    return encode_bytes(METADATA, encode_bytes(1, key) + encode_bytes(2, value))


def _sparse_card(path: Path, size: int) -> Path:
    """Write a file that claims a card of so many bytes, without writing them."""
    key = encode_bytes(1, METADATA_KEY.encode())
    value = b"\x12" + encode_varint(size)
    length = encode_varint(len(key) + len(value) + size)
    with path.open("wb") as file:
        file.write(encode_bytes(GRAPH, b"") + b"\x72" + length + key + value)
        file.truncate(file.tell() + size)
    return path


def test_card_survives_a_round_trip(tmp_path: Path) -> None:
    path = tiny_upscaler(tmp_path / "tiny.onnx", scale=3, name="round-trip")
    model = read_model(path)
    assert model.card == read_card(path)
    assert model.card.name == "round-trip"
    assert model.card.scale == 3
    assert model.data == path.read_bytes()
    assert model.origin == str(path)


def test_card_is_plain_metadata_to_other_tools(tmp_path: Path) -> None:
    proto = onnx.load(tiny_upscaler(tmp_path / "tiny.onnx"))
    onnx.checker.check_model(proto)
    (entry,) = proto.metadata_props
    assert cards.decode(entry.value.encode(), "test") == read_card(tmp_path / "tiny.onnx")


def test_embedding_replaces_a_card_and_keeps_other_metadata() -> None:
    proto = upscaler_proto()
    proto.metadata_props.add(key="author", value="somebody")
    bare = proto.SerializeToString()
    first = embed_card(bare, upscaler_card())
    second = embed_card(first, replace(upscaler_card(), description="changed"))
    keys = [entry.key for entry in onnx.ModelProto.FromString(second).metadata_props]
    assert sorted(keys) == [METADATA_KEY, "author"]
    assert parse_model(second, "test").card.description == "changed"
    assert model_digest(bare) == model_digest(first) == model_digest(second)


def test_digest_covers_everything_but_the_card() -> None:
    data = embed_card(upscaler_proto().SerializeToString(), upscaler_card())
    other = upscaler_proto(seed=1).SerializeToString()
    assert model_digest(data) != model_digest(other)
    assert model_digest(data + _entry(b"x", b"other key")) != model_digest(data)


def test_refuses_a_card_that_is_too_large_to_embed() -> None:
    card = replace(upscaler_card(), description="x" * MAX_CARD_BYTES)
    with pytest.raises(ModelFileError, match="shorten"):
        embed_card(b"", card)


@pytest.mark.parametrize("step", [1, 7])
def test_every_flipped_byte_is_refused_or_harmless(tmp_path: Path, step: int) -> None:
    data = tiny_upscaler(tmp_path / "tiny.onnx", kernel=1, scale=1).read_bytes()
    path = tmp_path / "flipped.onnx"
    rng = np.random.default_rng(step)
    for index in rng.choice(len(data), 200, replace=False):
        flipped = bytearray(data)
        flipped[index] ^= step
        path.write_bytes(flipped)
        try:
            model = read_model(path)
        except ModelFileError as error:
            assert str(path) in str(error)  # noqa: PT017
            assert "\n" not in str(error)  # noqa: PT017
        else:  # only within the card, which the digest does not cover
            assert model_digest(bytes(flipped)) == model.card.digest


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    data = tiny_upscaler(tmp_path / "tiny.onnx", kernel=1, scale=1).read_bytes()
    path = tmp_path / "cut.onnx"
    for length in range(len(data)):
        path.write_bytes(data[:length])
        for read in (read_card, read_model):
            with pytest.raises(ModelFileError, match=r"cut\.onnx"):
                read(path)


@pytest.mark.parametrize(
    ("content", "look"),
    [
        (b"", "empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "a PNG picture"),
        (b"\xff\xd8\xff\xe0" + bytes(100), "a JPEG picture"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"\n\n <html>", "a web page"),
        (b"Hello, world\n", "a text file"),
        (b"PK\x03\x04" + bytes(100), "PyTorch checkpoint"),
        (b"\x80\x04\x95" + bytes(100), "pickle"),
        (b"\x40\x00\x00\x00\x00\x00\x00\x00" + b'{"a":' + bytes(80), "a safetensors file"),
        (b"\x18\x00\x00\x00ORTM" + bytes(100), ".ort"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    ],
)
def test_says_what_a_file_looks_like(tmp_path: Path, content: bytes, look: str) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match="not an ONNX model") as caught:
        read_card(path)
    assert_one_line(caught, path, look)
    assert "give an .onnx file" in str(caught.value)


def test_refuses_random_bytes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / "noise.onnx"
    for _ in range(200):
        path.write_bytes(rng.bytes(300))
        with pytest.raises(ModelFileError, match=r"noise\.onnx"):
            read_card(path)


def test_names_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError) as caught:
        read_card(tmp_path / "none.onnx")
    assert_one_line(caught, "none.onnx", "anamorph models")
    with pytest.raises(ModelFileError, match="is a folder"):
        read_model(tmp_path)
    tiny_upscaler(tmp_path / "tiny.onnx")
    with pytest.raises(ModelNotFoundError):
        read_card(tmp_path / "tiny.onnx" / "below.onnx")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_refuses_a_pipe_without_waiting_for_it(tmp_path: Path) -> None:
    path = tmp_path / "pipe.onnx"
    os.mkfifo(path)
    with pytest.raises(ModelFileError, match="not a file") as caught:
        read_card(path)
    assert_one_line(caught, path, "give the path of an .onnx file")


@pytest.mark.parametrize("read", [read_card, read_model])
@pytest.mark.parametrize("call", ["stat", "open"])
def test_names_a_file_that_may_not_be_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[[Path], object], call: str
) -> None:
    path = tiny_upscaler(tmp_path / "tiny.onnx")
    forbid(monkeypatch, path, call)
    with pytest.raises(ModelFileError, match="Permission denied") as caught:
        read(path)
    assert_one_line(caught, path, "check its path and permissions")


def test_names_a_file_whose_reading_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError(errno.EIO, "Input/output error")

    path = tiny_upscaler(tmp_path / "tiny.onnx")
    monkeypatch.setattr(Path, "open", lambda *args, **kwargs: Failing(b"x"))
    with pytest.raises(ModelFileError, match="Input/output error") as caught:
        read_card(path)
    assert_one_line(caught, path, "check its path")


def test_a_name_with_a_null_byte_is_refused() -> None:
    with pytest.raises((ModelFileError, ModelNotFoundError)):
        read_card(Path("a\0b.onnx"))


def test_onnx_without_card_says_how_to_export(tmp_path: Path) -> None:
    path = tmp_path / "bare.onnx"
    path.write_bytes(upscaler_proto().SerializeToString())
    with pytest.raises(ModelFileError) as caught:
        read_card(path)
    assert_one_line(caught, path, "carries no Anamorph card; export it with anamorph export")


def test_refuses_two_cards(tmp_path: Path) -> None:
    path = tmp_path / "two.onnx"
    data = tiny_upscaler(path).read_bytes()
    path.write_bytes(data + _entry(cards.encode(upscaler_card())))
    with pytest.raises(ModelFileError, match="2 cards") as caught:
        read_card(path)
    assert_one_line(caught, path, "export it again")


def test_last_key_of_an_entry_counts_as_in_protobuf(tmp_path: Path) -> None:
    data = upscaler_proto().SerializeToString()
    key, other = (encode_bytes(1, name) for name in (METADATA_KEY.encode(), b"other"))
    value = encode_bytes(2, cards.encode(upscaler_card()))
    path = tmp_path / "model.onnx"
    path.write_bytes(data + encode_bytes(METADATA, key + other + value))
    with pytest.raises(ModelFileError, match="no Anamorph card"):
        read_card(path)
    path.write_bytes(data + encode_bytes(METADATA, value + other + key))
    assert read_card(path).name == "tiny-x2"


@pytest.mark.parametrize(
    ("value", "reason", "cure"),
    [
        (b"{", "damaged", "again"),
        (b"\xff\xfe", "damaged", "again"),
        (b"", "damaged", "again"),
        (b'{"schema": [9, 0]}', "schema 9.0", "pip install --upgrade anamorph"),
        (b'{"schema": [1, 99]}', "does not follow schema 1.99", "export the model again"),
        (b'{"schema": "1"}', "damaged", "again"),
        (b"[" * 100_000, "damaged", "again"),
    ],
)
def test_refuses_a_bad_card(tmp_path: Path, value: bytes, reason: str, cure: str) -> None:
    path = tmp_path / "bad.onnx"
    path.write_bytes(upscaler_proto().SerializeToString() + _entry(value))
    with pytest.raises(ModelFileError, match=reason) as caught:
        read_card(path)
    assert_one_line(caught, path, cure)


def test_a_card_of_a_gigabyte_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = _sparse_card(tmp_path / "fat.onnx", 1 << 30)
    start = time.perf_counter()
    for read in (read_card, read_model):
        with pytest.raises(ModelFileError, match="1,073,741,824 bytes") as caught:
            read(path)
        assert_one_line(caught, path, "export or download the model again")
    assert time.perf_counter() - start < 1


def test_the_graph_is_skipped_when_only_the_card_is_wanted(tmp_path: Path) -> None:
    path = tmp_path / "large.onnx"
    size = 3 << 30
    with path.open("wb") as file:
        file.write(b"\x08\x08" + b"\x3a" + encode_varint(size))
        file.seek(size, 1)
        file.write(_entry(cards.encode(upscaler_card())))
    start = time.perf_counter()
    assert read_card(path).name == "tiny-x2"
    assert time.perf_counter() - start < 1
    with pytest.raises(ModelFileError, match="2 GiB") as caught:
        read_model(path)
    assert_one_line(caught, path, "use a smaller model")


def test_refuses_a_file_that_differs_from_its_digest(tmp_path: Path) -> None:
    path = tiny_upscaler(tmp_path / "tiny.onnx")
    other = onnx.load(path)
    other.graph.initializer[0].raw_data = bytes(len(other.graph.initializer[0].raw_data))
    path.write_bytes(other.SerializeToString())
    with pytest.raises(ModelFileError, match="digest") as caught:
        read_model(path)
    assert_one_line(caught, path, "download or export it again")


def test_refuses_a_card_without_digest(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(upscaler_proto().SerializeToString() + _entry(cards.encode(upscaler_card())))
    with pytest.raises(ModelFileError, match="no digest") as caught:
        read_model(path)
    assert_one_line(caught, path, "export the model again")


@pytest.mark.parametrize(
    "build",
    [
        hostile_models.with_outside_initializer,
        hostile_models.with_outside_attribute,
        hostile_models.with_outside_subgraph,
        hostile_models.with_outside_sparse,
        hostile_models.with_outside_function,
        hostile_models.with_outside_training,
        hostile_models.with_location_flag_only,
    ],
)
def test_refuses_weights_in_another_file(
    tmp_path: Path, build: Callable[[], onnx.ModelProto]
) -> None:
    path = write_with_card(tmp_path / "outside.onnx", build())
    with pytest.raises(ModelFileError, match="another file") as caught:
        read_model(path)
    assert_one_line(caught, path, "export it as one file")


def test_refuses_a_compiled_engine(tmp_path: Path) -> None:
    path = write_with_card(tmp_path / "engine.onnx", hostile_models.with_compiled_engine())
    with pytest.raises(ModelFileError, match="EPContext") as caught:
        read_model(path)
    assert_one_line(caught, path, "export it as a plain model")


def test_refuses_deep_nesting(tmp_path: Path) -> None:
    shallow = write_with_card(tmp_path / "shallow.onnx", hostile_models.nested(10))
    read_model(shallow)
    deep = write_with_card(tmp_path / "deep.onnx", hostile_models.nested(30))
    with pytest.raises(ModelFileError, match="nests deeper") as caught:
        read_model(deep)
    assert_one_line(caught, deep, "download or export it again")


def test_refuses_endless_fields(tmp_path: Path) -> None:
    path = tmp_path / "many.onnx"
    path.write_bytes(b"\x08\x08" * 200_000)
    start = time.perf_counter()
    with pytest.raises(ModelFileError, match="more fields"):
        read_card(path)
    assert time.perf_counter() - start < 5
