"""The codec, against bytes written by hand after the encoding's description, and against itself."""

from __future__ import annotations

from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import field

from zonehost.api.buildkit.messages import CacheEntry, CacheOptions, Exporter, Packet, SolveRequest, Stat
from zonehost.api.buildkit.protobuf import Message, varint
from zonehost.errors import InvalidParameter


class Inner(Message, frozen=True, kw_only=True):
    number: Annotated[int, 1] = 0


class Outer(Message, frozen=True, kw_only=True):
    text: Annotated[str, 2] = ""
    truth: Annotated[bool, 3] = False
    one: Annotated[Inner | None, 4] = None
    many: Annotated[tuple[str, ...], 5] = ()
    pairs: Annotated[dict[str, str], 16] = field(default_factory=dict)


@pytest.mark.parametrize(
    ("message", "data"),
    [
        # The example of "Encoding" itself: field 1 with 150 is 08 96 01, field 2 with "testing" 12 07 …
        (Inner(number=150), "089601"),
        (Outer(text="testing"), "120774657374696e67"),
        (Outer(one=Inner(number=150)), "2203089601"),
        (Inner(number=-2), "08feffffffffffffffff01"),
        (Outer(truth=True), "1801"),
        (Outer(one=Inner()), "2200"),
        (Outer(many=("a", "", "b")), "2a01612a002a0162"),
        (Outer(pairs={"k": "v"}), "8201060a016b120176"),
        (Outer(), ""),
    ],
)
def test_bytes_of_a_message(message: Message, data: str) -> None:
    assert message.encode().hex() == data
    assert type(message).decode(bytes.fromhex(data)) == message


def test_what_is_not_known_is_skipped() -> None:
    unknown = bytes.fromhex("f801ff01" + "f9010102030405060708" + "fd0101020304" + "fa0103616263")
    assert Inner.decode(unknown + b"\x08\x05" + unknown) == Inner(number=5)
    assert Inner.decode(b"\x0a\x01a") == Inner(), "nor what is known as another type"


@pytest.mark.parametrize("data", ["08", "0896", "12ff01", "0a05", "0b", "09010203", "08" + "ff" * 11])
def test_damaged_bytes_are_refused(data: str) -> None:
    with pytest.raises(InvalidParameter, match="damaged"):
        Outer.decode(bytes.fromhex(data))


@given(st.integers(-(1 << 63), (1 << 63) - 1))
def test_numbers(value: int) -> None:
    assert len(varint(value)) <= 10
    assert Inner.decode(Inner(number=value).encode()) == Inner(number=value)


@given(st.dictionaries(st.text(), st.text()), st.lists(st.text()), st.binary(), st.integers(0, 1 << 62))
def test_messages_come_back(pairs: dict[str, str], names: list[str], data: bytes, size: int) -> None:
    solve = SolveRequest(
        ref="r",
        frontend_attrs=pairs,
        cache=CacheOptions(imports=tuple(CacheEntry(type=name, attrs=pairs) for name in names)),
        exporters=tuple(Exporter(type=name) for name in names),
    )
    assert SolveRequest.decode(solve.encode()) == solve
    packet = Packet(type=1, stat=Stat(path="p", size=size, mod_time=-size, xattrs={"user.a": data}), data=data)
    assert Packet.decode(packet.encode()) == packet


def test_names_that_are_no_text_come_back() -> None:
    stat = Stat(path=b"\xff/\xe4".decode("utf-8", "surrogateescape"))
    assert stat.encode() == b"\x0a\x03\xff/\xe4"
    assert Stat.decode(stat.encode()) == stat
