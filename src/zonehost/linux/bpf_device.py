"""Which devices the processes of a v2 cgroup may use: a BPF program of type CGROUP_DEVICE, built and attached.

Owns the program's few instructions and bpf(2). It works on the v2 tree of a hybrid machine too. Which devices a zone
gets is its caller's to say.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable
from typing import Final, NamedTuple

from zonehost.linux import libc

_SYS_BPF: Final = {"x86_64": 321, "ppc64le": 361, "s390x": 351}.get(os.uname().machine, 280)
_PROG_LOAD, _PROG_ATTACH = 5, 8
_TYPE_CGROUP_DEVICE, _ATTACH_CGROUP_DEVICE, _ALLOW_MULTI = 15, 6, 2
_KINDS: Final = {"b": 1, "c": 2}
_ACCESS: Final = {"m": 1, "r": 2, "w": 4}
_ALL_ACCESS: Final = 7

_INSTRUCTION = struct.Struct("=BBhi")
_LOAD_WORD, _JUMP_NOT_EQUAL, _JUMP_REGISTER_NOT_EQUAL = 0x61, 0x56, 0x5E
_MOVE, _MOVE_REGISTER, _AND, _SHIFT_RIGHT, _EXIT = 0xB4, 0xBC, 0x54, 0x74, 0x95
_RESULT, _CONTEXT, _WANTED, _KIND, _MAJOR, _MINOR, _MASKED = range(7)


class _Step(NamedTuple):
    """One instruction. Every jump of a block goes past its end, so only loads say an offset."""

    code: int
    target: int = 0
    source: int = 0
    value: int = 0
    offset: int = 0


class Rule(NamedTuple):
    """Devices that may be used: b, c, or a for both kinds; a number of None is every number; access of r, w, m."""

    kind: str
    major: int | None
    minor: int | None
    access: str = "rwm"


def load(rules: Iterable[Rule]) -> int:
    """A descriptor of a program that denies every device but those of the rules, for any number of groups.

    Raises:
        OSError: as bpf(2).
    """
    code = ctypes.create_string_buffer(program(rules))
    license_ = ctypes.create_string_buffer(b"Apache-2.0")
    attributes = struct.pack(
        "=IIQQ", _TYPE_CGROUP_DEVICE, len(code) // 8, ctypes.addressof(code), ctypes.addressof(license_)
    )
    return libc.syscall(_SYS_BPF, _PROG_LOAD, attributes, len(attributes))


def attach(loaded: int, directory: str) -> None:
    """Put the processes of the v2 group, and of groups inside it, under the loaded program.

    The kernel keeps the program as long as the group. Each further program of the group is asked as well.

    Raises:
        OSError: as bpf(2).
    """
    group = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        attributes = struct.pack("=IIII", group, loaded, _ATTACH_CGROUP_DEVICE, _ALLOW_MULTI)
        libc.syscall(_SYS_BPF, _PROG_ATTACH, attributes, len(attributes))
    finally:
        os.close(group)


def program(rules: Iterable[Rule]) -> bytes:
    """The instructions: one block a rule, which answers 1 (allowed) if all of it matches, then the answer 0.

    The context is struct bpf_cgroup_dev_ctx of linux/bpf.h: what is wanted and of which kind in the halves of one
    word, major, minor.
    """
    load = [
        _Step(_LOAD_WORD, _WANTED, _CONTEXT),
        _Step(_LOAD_WORD, _MAJOR, _CONTEXT, offset=4),
        _Step(_LOAD_WORD, _MINOR, _CONTEXT, offset=8),
        _Step(_MOVE_REGISTER, _KIND, _WANTED),
        _Step(_AND, _KIND, value=0xFFFF),
        _Step(_SHIFT_RIGHT, _WANTED, value=16),
    ]
    return b"".join([_assemble(load), *map(_block, rules), _assemble(_answer(0))])


def _block(rule: Rule) -> bytes:
    access = sum(_ACCESS[letter] for letter in set(rule.access))
    steps: list[_Step] = []
    if rule.kind != "a":
        steps.append(_Step(_JUMP_NOT_EQUAL, _KIND, value=_KINDS[rule.kind]))
    if access != _ALL_ACCESS:
        steps.append(_Step(_MOVE_REGISTER, _MASKED, _WANTED))
        steps.append(_Step(_AND, _MASKED, value=access))
        steps.append(_Step(_JUMP_REGISTER_NOT_EQUAL, _MASKED, _WANTED))
    if rule.major is not None:
        steps.append(_Step(_JUMP_NOT_EQUAL, _MAJOR, value=rule.major))
    if rule.minor is not None:
        steps.append(_Step(_JUMP_NOT_EQUAL, _MINOR, value=rule.minor))
    return _assemble([*steps, *_answer(1)])


def _answer(value: int) -> list[_Step]:
    return [_Step(_MOVE, _RESULT, value=value), _Step(_EXIT)]


def _assemble(steps: list[_Step]) -> bytes:
    code = bytearray()
    for past, step in zip(reversed(range(len(steps))), steps, strict=True):
        offset = past if step.code in (_JUMP_NOT_EQUAL, _JUMP_REGISTER_NOT_EQUAL) else step.offset
        code += _INSTRUCTION.pack(step.code, step.source << 4 | step.target, offset, step.value)
    return bytes(code)
