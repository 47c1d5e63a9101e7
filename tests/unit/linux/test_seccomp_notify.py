"""The filter, run as the kernel runs it; notifications as the kernel writes them."""

from __future__ import annotations

import struct

import pytest

from zonehost.linux.seccomp_notify import NOTIFICATION_SIZE, program, read

ALLOW, NOTIFY = 0x7FFF0000, 0x7FC00000
NATIVE, COMPAT = 0xC000003E, 0x40000003
CALLS = {NATIVE: (137, 138), COMPAT: (99, 100, 268, 269)}


def verdict(text: bytes, architecture: int, number: int, second: int = 0) -> int:
    """What a classic BPF machine says of a call."""
    steps = list(struct.iter_unpack("=HBBI", text))
    data = struct.pack("=IIQ6Q", number, architecture, 0, 0, second, 0, 0, 0, 0)
    at = accumulator = 0
    while True:
        code, if_so, if_not, value = steps[at]
        at += 1
        if code == 0x20:
            (accumulator,) = struct.unpack_from("=I", data, value)
        elif code == 0x15:
            at += if_so if accumulator == value else if_not
        else:
            assert code == 0x06
            return int(value)


@pytest.mark.parametrize("architecture", CALLS)
def test_the_calls_of_an_architecture_wait_and_no_others(architecture: int) -> None:
    text = program(CALLS)
    waiting = {number for number in range(400) if verdict(text, architecture, number) == NOTIFY}
    assert waiting == set(CALLS[architecture])
    assert {verdict(text, architecture, number) for number in range(400)} == {ALLOW, NOTIFY}


def test_other_architectures_are_left_alone() -> None:
    assert {verdict(program(CALLS), 0xC00000B7, number) for number in range(400)} == {ALLOW}
    assert verdict(program({}), NATIVE, 137) == ALLOW


def test_some_calls_wait_for_the_sake_of_their_second_argument() -> None:
    text = program(CALLS, {NATIVE: {16: (7, 8), 514: (9,)}, 0xC00000F3: {29: (7,)}})
    for architecture, number, seconds in (
        (NATIVE, 16, {7, 8}),
        (NATIVE, 514, {9}),
        (0xC00000F3, 29, {7}),
        (COMPAT, 16, set()),
    ):
        waiting = {second for second in range(20) if verdict(text, architecture, number, second) == NOTIFY}
        assert waiting == seconds
        assert verdict(text, architecture, number, 7 | 1 << 32) == verdict(text, architecture, number, 7)
    assert {number for number in range(600) if verdict(text, NATIVE, number) == NOTIFY} == set(CALLS[NATIVE])


def test_a_notification() -> None:
    text = struct.pack("=QIIiIQ6Q", 1 << 63, 4711, 0, 138, NATIVE, 0x400000, 5, 6, 7, 8, 9, 10)
    assert len(text) == NOTIFICATION_SIZE == 80
    assert read(text) == (1 << 63, 4711, NATIVE, 138, (5, 6, 7, 8, 9, 10))
