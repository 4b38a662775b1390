"""Walk the fields of a protobuf message without its schema and without reading its payloads.

https://protobuf.dev/programming-guides/encoding/
"""

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

VARINT: Final = 0
FIXED64: Final = 1
BYTES: Final = 2
FIXED32: Final = 5
MAX_VARINT_BYTES: Final = 10

Read = Callable[[int, int], bytes | memoryview]
"""``read(start, end)`` returns these bytes, fewer where the data end before."""


class WireError(ValueError):
    """The bytes do not follow the wire format."""


class Field(NamedTuple):
    """Where one field lies.

    Attributes:
        number: Field number.
        wire: Wire type.
        begin: Offset of its tag.
        start: Offset of its payload.
        end: Offset behind its payload.
        value: The number, for a varint; else 0.
    """

    number: int
    wire: int
    begin: int
    start: int
    end: int
    value: int


def _varint(data: bytes | memoryview, at: int, position: int) -> tuple[int, int]:
    """Return the varint at ``data[at:]`` and the offset behind it."""
    value = 0
    for index, byte in enumerate(data[at : at + MAX_VARINT_BYTES]):
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            if value >> 64:
                break
            return value, at + index + 1
    if len(data) - at < MAX_VARINT_BYTES:
        raise WireError(f"it ends within the field at byte {position}")
    raise WireError(f"the number at byte {position} is longer than 64 bits")


class Walker:
    """Walks messages and counts fields, so that a hostile file cannot keep it busy for ever."""

    def __init__(self, read: Read, *, max_fields: int) -> None:
        self._read = read
        self._left = max_fields

    def fields(self, start: int, end: int) -> Iterator[Field]:
        """Yield the fields of the message that lies at bytes ``start`` to ``end``.

        Raises:
            WireError: A field is cut short, runs beyond the message or has no known wire type.
        """
        while start < end:
            field = self._field(start, end)
            yield field
            start = field.end

    def _field(self, begin: int, end: int) -> Field:
        self._left -= 1
        if self._left < 0:
            raise WireError("it has more fields than any model needs")
        head = self._read(begin, min(begin + 2 * MAX_VARINT_BYTES, end))
        tag, at = _varint(head, 0, begin)
        number, wire = tag >> 3, tag & 7
        value = 0
        if wire == VARINT:
            value, at = _varint(head, at, begin)
            length = 0
        elif wire == BYTES:
            length, at = _varint(head, at, begin)
        elif wire in (FIXED64, FIXED32):
            length = 8 if wire == FIXED64 else 4
        else:
            raise WireError(f"the field at byte {begin} has wire type {wire}")
        if not 0 < number < 1 << 29:
            raise WireError(f"the field at byte {begin} has number {number}")
        if begin + at + length > end:
            raise WireError(
                f"the field at byte {begin} claims {length} bytes where {end - begin - at} are left"
            )
        return Field(number, wire, begin, begin + at, begin + at + length, value)

    def content(self, field: Field) -> bytes:
        """Return the payload of a field."""
        return bytes(self._read(field.start, field.end))

    def equals(self, field: Field, content: bytes) -> bool:
        """Compare a payload; one of another length, a gigabyte perhaps, is not read."""
        return field.end - field.start == len(content) and self.content(field) == content


def encode_varint(value: int) -> bytes:
    """Return a non-negative number as a varint."""
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def encode_bytes(number: int, payload: bytes) -> bytes:
    """Return a length-delimited field."""
    return encode_varint(number << 3 | BYTES) + encode_varint(len(payload)) + payload
