"""The program, run by an interpreter of the few instructions it uses."""

from __future__ import annotations

import struct

import pytest

from zonehost.linux.bpf_device import Rule, program

BLOCK, CHAR = 1, 2
MKNOD, READ, WRITE = 1, 2, 4


def run(code: bytes, kind: int, access: int, major: int, minor: int) -> int:
    context = (access << 16 | kind, major, minor)
    registers = [0] * 11
    at = 0
    while True:
        operation, both, offset, value = struct.unpack_from("=BBhi", code, at * 8)
        target, source = both & 15, both >> 4
        at += 1
        match operation:
            case 0x61:
                registers[target] = context[offset // 4]
            case 0xB4:
                registers[target] = value
            case 0xBC:
                registers[target] = registers[source]
            case 0x54:
                registers[target] &= value
            case 0x74:
                registers[target] >>= value
            case 0x56:
                at += offset if registers[target] != value else 0
            case 0x5E:
                at += offset if registers[target] != registers[source] else 0
            case 0x95:
                return registers[0]
            case _:
                raise AssertionError(hex(operation))


@pytest.mark.parametrize(
    ("rule", "allowed", "denied"),
    [
        (Rule("c", 1, 3), [(CHAR, READ, 1, 3), (CHAR, 7, 1, 3)], [(BLOCK, READ, 1, 3), (CHAR, READ, 1, 4)]),
        (Rule("b", 8, None, "r"), [(BLOCK, READ, 8, 99)], [(BLOCK, READ | WRITE, 8, 0), (BLOCK, READ, 9, 0)]),
        (Rule("c", None, None, "m"), [(CHAR, MKNOD, 7, 7)], [(CHAR, READ, 7, 7), (BLOCK, MKNOD, 7, 7)]),
        (
            Rule("a", None, 5, "rw"),
            [(CHAR, READ, 1, 5), (BLOCK, WRITE, 2, 5)],
            [(CHAR, MKNOD, 1, 5), (CHAR, READ, 1, 6)],
        ),
        (Rule("a", None, None), [(CHAR, 7, 1, 2), (BLOCK, 7, 3, 4)], []),
    ],
)
def test_one_rule(rule: Rule, allowed: list[tuple[int, ...]], denied: list[tuple[int, ...]]) -> None:
    code = program([rule])
    assert [run(code, *request) for request in allowed] == [1] * len(allowed)
    assert [run(code, *request) for request in denied] == [0] * len(denied)


def test_any_rule_may_allow() -> None:
    code = program([Rule("c", 1, 3), Rule("c", 1, 5, "r"), Rule("b", 8, 0)])
    assert [run(code, *request) for request in ((CHAR, 6, 1, 3), (CHAR, READ, 1, 5), (BLOCK, 7, 8, 0))] == [1, 1, 1]
    assert run(code, CHAR, WRITE, 1, 5) == 0


def test_no_rule_denies_all() -> None:
    assert run(program([]), CHAR, READ, 1, 3) == 0
