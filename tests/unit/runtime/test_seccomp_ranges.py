"""A condensed program decides as the one that libseccomp made, whatever a process calls."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator

import pytest

from zonehost.drivers.runtime.seccomp import default_profile, resolve, this_machine
from zonehost.drivers.runtime.seccomp_program import compile_filter
from zonehost.drivers.runtime.seccomp_ranges import condensed

X86_64, X86, ARM, NOBODYS = 0xC000003E, 0x40000003, 0x40000028, 0x1234
X32_BIT = 0x40000000


def decided(program: bytes, number: int, architecture: int, arguments: tuple[int, ...]) -> int:
    """What the kernel would return for a system call: seccomp_data through the program (seccomp(2), BPF)."""
    data = struct.pack("=IIQ6Q", number, architecture, 0, *arguments)
    steps = list(struct.iter_unpack("=HBBI", program))
    at = accumulator = 0
    while True:
        code, then, otherwise, value = steps[at]
        at += 1
        if code == 0x20:
            (accumulator,) = struct.unpack_from("=I", data, value)
        elif code == 0x54:
            accumulator &= value
        elif code == 0x05:
            at += value
        elif code == 0x06:
            return int(value)
        else:
            true = {0x15: accumulator == value, 0x25: accumulator > value, 0x35: accumulator >= value}[code]
            at += then if true else otherwise


def calls() -> Iterator[tuple[int, int, tuple[int, ...]]]:
    chance = random.Random(6)
    for architecture in (X86_64, X86, ARM, NOBODYS):
        for number in (*range(600), *range(X32_BIT, X32_BIT + 600), 0xFFFFFFFF):
            yield number, architecture, (0,) * 6
            yield number, architecture, tuple(chance.choice((0, 1, 2, 16, 40, 2**31, 2**64 - 1)) for _ in range(6))
    for number in range(600):
        yield number, X86_64, tuple(chance.getrandbits(64) for _ in range(6))


@pytest.mark.parametrize("capabilities", [(), ("CAP_SYS_ADMIN", "CAP_BPF", "CAP_SYS_PTRACE")])
def test_it_decides_as_before_in_far_fewer_instructions(capabilities: tuple[str, ...]) -> None:
    long = compile_filter(resolve(default_profile(), capabilities, this_machine()))
    short = condensed(long)
    assert len(short) * 2 < len(long)
    for call in calls():
        assert decided(short, *call) == decided(long, *call), call


def test_a_run_that_is_entered_in_its_midst_stays_as_it_is() -> None:
    program = b"".join(
        struct.pack("=HBBI", *fields)
        for fields in (
            (0x20, 0, 0, 0),
            (0x15, 2, 0, 9),  # 9 goes on in the midst of what follows
            (0x15, 3, 0, 1),
            (0x15, 2, 0, 2),
            (0x15, 1, 0, 3),
            (0x06, 0, 0, 0),
            (0x06, 0, 0, 7),
        )
    )
    assert [decided(condensed(program), number, X86_64, (0,) * 6) for number in range(10)] == [
        decided(program, number, X86_64, (0,) * 6) for number in range(10)
    ]


def test_numbers_in_a_row_become_a_range() -> None:
    steps = [(0x20, 0, 0, 0), *((0x15, 10 - number, 0, number) for number in range(10)), (0x06, 0, 0, 0)]
    program = b"".join(struct.pack("=HBBI", *fields) for fields in (*steps, (0x06, 0, 0, 7)))
    made = condensed(program)
    assert len(made) == 5 * 8
    assert [decided(made, number, X86_64, (0,) * 6) for number in (0, 5, 9, 10)] == [7, 7, 7, 0]
