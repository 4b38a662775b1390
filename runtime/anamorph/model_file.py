"""Read and write the card of an ONNX file, and verify the file, without the onnx package.

https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

import contextlib
import hashlib
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from msgspec.structs import replace

from anamorph import card as cards
from anamorph.card import MAX_CARD_BYTES, METADATA_KEY, Card
from anamorph.errors import AnamorphError, ModelFileError, ModelNotFoundError
from anamorph.file_kind import looks_like
from anamorph.outside_data import refuse_outside_data
from anamorph.protobuf import BYTES, Field, Walker, WireError, encode_bytes

MAX_MODEL_BYTES: Final = (1 << 31) - 1  # a protobuf message cannot be longer
_MAX_TOP_FIELDS: Final = 100_000
_MAX_FIELDS: Final = 5_000_000

# Field numbers of onnx.proto.
_MODEL_GRAPH: Final = 7
_MODEL_METADATA: Final = 14
_ENTRY_KEY, _ENTRY_VALUE = 1, 2


@dataclass(frozen=True)
class ModelFile:
    """The verified bytes of one model and what its card says.

    Attributes:
        origin: Where the bytes came from, for messages.
        data: The whole ONNX file.
        card: Its card.
    """

    origin: str
    data: bytes
    card: Card


def read_card(path: Path, *, origin: str = "") -> Card:
    """Read the card of an ONNX file; the graph is skipped, not read.

    Args:
        path: The file.
        origin: Where it came from, for messages; the path if empty.

    Raises:
        ModelNotFoundError: There is no such file.
        ModelFileError: The file is damaged, is no ONNX file or carries no readable card.
    """
    with _open(path) as file:
        size = file.seek(0, 2)
        file.seek(0)
        head = file.read(512)

        def read(start: int, end: int) -> bytes:
            file.seek(start)
            return file.read(end - start)

        return _card(Walker(read, max_fields=_MAX_TOP_FIELDS), size, head, origin or str(path))


def read_model(path: Path, *, origin: str = "") -> ModelFile:
    """Read an ONNX file with its card and verify it.

    Args:
        path: The file.
        origin: Where it came from, for messages; the path if empty.

    Raises:
        ModelNotFoundError: There is no such file.
        ModelFileError: As ``parse_model``, or the file is 2 GiB or larger.
    """
    origin = origin or str(path)
    read_card(path, origin=origin)  # refuses what is no model before all of it is read
    with _open(path) as file:
        if file.seek(0, 2) > MAX_MODEL_BYTES:
            raise ModelFileError(
                f"{origin}: is larger than the 2 GiB that ONNX Runtime reads; use a smaller model"
            )
        file.seek(0)
        data = file.read(MAX_MODEL_BYTES + 1)
    return parse_model(data, origin)


def check_file(path: Path) -> None:
    """Refuse a path that leads to no regular file, without opening it.

    Raises:
        ModelNotFoundError: There is no such file.
        ModelFileError: It is a folder or a device, or lies in a folder that may not be searched.
    """
    # Path.exists and Path.is_dir raise for such a folder, or call it missing, by Python's version.
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError):  # a null byte is a ValueError
        raise ModelNotFoundError(
            f"{path}: no such file; give the path of an .onnx file or a name from: anamorph models"
        ) from None
    except OSError as error:
        raise _unreadable(path, error) from None
    if stat.S_ISDIR(mode):
        raise ModelFileError(f"{path}: is a folder; give an .onnx file")
    if not stat.S_ISREG(mode):
        raise ModelFileError(f"{path}: is not a file; give the path of an .onnx file")


def parse_model(data: bytes, origin: str) -> ModelFile:
    """Verify a model that is in memory.

    Args:
        data: The whole ONNX file.
        origin: Where it came from, for messages.

    Raises:
        ModelFileError: The data are damaged or differ from the card's digest, carry no readable
            card, or refer to data outside the file.
    """
    card = _card(_walker(data), len(data), data[:512], origin)
    if not card.digest:
        raise ModelFileError(f"{origin}: its card has no digest; export the model again")
    if model_digest(data) != card.digest:
        raise ModelFileError(
            f"{origin}: its contents differ from the digest on its card; download or export it "
            "again"
        )
    try:
        refuse_outside_data(_walker(data), len(data), origin)
    except WireError as error:
        raise ModelFileError(_damaged(origin, error)) from None
    return ModelFile(origin, data, card)


def model_digest(data: bytes) -> str:
    """Return the SHA-256 over all top-level fields in order, without the card's entry.

    Raises:
        ModelFileError: The data are no protobuf message.
    """
    view = memoryview(data)
    sha256 = hashlib.sha256()
    for field in _fields_without_card(data):
        sha256.update(view[field.begin : field.end])
    return sha256.hexdigest()


def embed_card(data: bytes, card: Card) -> bytes:
    """Return the ONNX file with this card, its digest filled in, in place of any other card.

    Raises:
        ModelFileError: The data are no protobuf message, or the card is too large.
    """
    value = cards.encode(replace(card, digest=model_digest(data)))
    if len(value) > MAX_CARD_BYTES:
        raise ModelFileError(
            f"{card.name}: its card has {len(value):,} bytes, {MAX_CARD_BYTES:,} are allowed; "
            "shorten its provenance"
        )
    entry = encode_bytes(_ENTRY_KEY, METADATA_KEY.encode()) + encode_bytes(_ENTRY_VALUE, value)
    view = memoryview(data)
    kept = [view[field.begin : field.end] for field in _fields_without_card(data)]
    return b"".join([*kept, encode_bytes(_MODEL_METADATA, entry)])


@contextlib.contextmanager
def _open(path: Path) -> Iterator[BinaryIO]:
    check_file(path)
    try:
        with path.open("rb") as file:
            yield file
    except AnamorphError:
        raise
    except OSError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: OSError) -> ModelFileError:
    reason = error.strerror or error
    return ModelFileError(f"{path}: cannot be read ({reason}); check its path and permissions")


def _walker(data: bytes) -> Walker:
    view = memoryview(data)
    return Walker(lambda start, end: view[start:end], max_fields=_MAX_FIELDS)


def _damaged(origin: str, reason: object) -> str:
    return f"{origin}: is damaged or no ONNX file ({reason}); download or export it again"


def _fields_without_card(data: bytes) -> Iterator[Field]:
    walker = _walker(data)
    try:
        for field in walker.fields(0, len(data)):
            if _card_value(walker, field) is None:
                yield field
    except WireError as error:
        raise ModelFileError(_damaged("model", error)) from None


def _card_value(walker: Walker, field: Field) -> Field | None:
    """Return where the card lies if this top-level field is the card's metadata entry."""
    if field.number != _MODEL_METADATA or field.wire != BYTES:
        return None
    found, value = False, Field(0, BYTES, field.end, field.end, field.end, 0)
    for part in walker.fields(field.start, field.end):
        if part.number == _ENTRY_KEY and part.wire == BYTES:
            found = walker.equals(part, METADATA_KEY.encode())
        elif part.number == _ENTRY_VALUE and part.wire == BYTES:
            value = part
    return value if found else None


def _card(walker: Walker, size: int, head: bytes, origin: str) -> Card:
    if look := looks_like(head):
        raise ModelFileError(f"{origin}: is {look}, not an ONNX model; give an .onnx file")
    has_graph, found = False, []
    try:
        for field in walker.fields(0, size):
            has_graph |= field.number == _MODEL_GRAPH and field.wire == BYTES
            if value := _card_value(walker, field):
                found.append(value)
    except WireError as error:
        raise ModelFileError(_damaged(origin, error)) from None
    if not has_graph:
        raise ModelFileError(_damaged(origin, "it has no graph"))
    if not found:
        raise ModelFileError(
            f"{origin}: is an ONNX file but carries no Anamorph card; export it with "
            "anamorph export"
        )
    if len(found) > 1:
        raise ModelFileError(f"{origin}: carries {len(found)} cards, not one; export it again")
    length = found[0].end - found[0].start
    if length > MAX_CARD_BYTES:
        raise ModelFileError(
            f"{origin}: its card claims {length:,} bytes, {MAX_CARD_BYTES:,} are allowed; "
            "export or download the model again"
        )
    return cards.decode(walker.content(found[0]), origin)
