import pytest

from anamorph.protobuf import BYTES, VARINT, Field, Walker, WireError, encode_bytes, encode_varint


def _walker(data: bytes, max_fields: int = 1000) -> Walker:
    return Walker(lambda start, end: data[start:end], max_fields=max_fields)


def _fields(data: bytes, max_fields: int = 1000) -> list[Field]:
    return list(_walker(data, max_fields).fields(0, len(data)))


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 2**32, 2**64 - 1])
def test_varints_survive_a_round_trip(value: int) -> None:
    data = encode_varint(1 << 3 | VARINT) + encode_varint(value)
    (field,) = _fields(data)
    assert (field.number, field.wire, field.value, field.end) == (1, VARINT, value, len(data))


def test_walks_fields_of_every_wire_type() -> None:
    data = encode_bytes(7, b"graph") + b"\x09" + bytes(8) + b"\x15" + bytes(4) + b"\x08\x09"
    walker = _walker(data)
    fields = list(walker.fields(0, len(data)))
    assert [(field.number, field.wire) for field in fields] == [(7, 2), (1, 1), (2, 5), (1, 0)]
    assert walker.content(fields[0]) == b"graph"
    assert fields[0].wire == BYTES
    assert [field.begin for field in fields] == [0, *(field.end for field in fields[:-1])]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x80", "ends within"),
        (b"\x08", "ends within"),
        (b"\x08" + b"\x80" * 9 + b"\x02", "longer than 64 bits"),
        (b"\x08" + b"\x80" * 12 + b"\x01", "longer than 64 bits"),
        (b"\x3a\x05abc", "claims 5 bytes where 3 are left"),
        (b"\x3a" + encode_varint(2**63), "claims 9223372036854775808 bytes"),
        (b"\x09\x00", "claims 8 bytes"),
        (b"\x0b", "wire type 3"),
        (b"\x0f", "wire type 7"),
        (b"\x00\x00", "number 0"),
        (encode_varint(1 << 35) + b"\x00", "number"),
    ],
)
def test_refuses_what_breaks_the_wire_format(data: bytes, reason: str) -> None:
    with pytest.raises(WireError, match=reason):
        _fields(data)


def test_refuses_more_fields_than_allowed() -> None:
    with pytest.raises(WireError, match="more fields"):
        _fields(b"\x08\x01" * 11, max_fields=10)
