"""A filter's program made shorter: a run of comparisons with successive numbers becomes one with their bounds.

libseccomp compares a system call's number with each that has a rule, one after the other. The kernel checks, converts
and compiles the program anew for each process that loads it: 0.9 ms for the 1,268 instructions of the default filter.
The program is classic BPF, an array of struct sock_filter (linux/filter.h; Documentation/networking/filter.rst).
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

_INSTRUCTION: Final = struct.Struct("=HBBI")
_CLASS: Final = 0x07
_JUMPS: Final = 0x05
_JUMP: Final = 0x05
_IF_EQUAL: Final = 0x15
_IF_GREATER: Final = 0x25
_IF_AT_LEAST: Final = 0x35
_RETURN: Final = 0x06
_WORTH: Final = 3
"""Comparisons that are worth a range, which takes two instructions."""
_NEXT: Final = -1
"""Instead of a number: the instruction after."""


class _Step(NamedTuple):
    """An instruction, with the numbers of those that may follow instead of offsets."""

    code: int
    value: int
    then: int
    otherwise: int


def condensed(program: bytes) -> bytes:
    """A program that decides as this one does, with ranges."""
    steps = [_step(number, *fields) for number, fields in enumerate(_INSTRUCTION.iter_unpack(program))]
    entered = {at for number, step in enumerate(steps) for at in (step.then, step.otherwise) if at != number + 1}
    made: list[_Step] = []
    places: list[int] = []
    begin = 0
    while begin < len(steps):
        end = _end_of_run(steps, begin, entered)
        places += [len(made)] * (end - begin)
        first, last = steps[begin], steps[end - 1]
        if end == begin + 1:
            made.append(first)
        else:
            made.append(_Step(_IF_AT_LEAST, first.value, _NEXT, end))
            made.append(_Step(_IF_GREATER, last.value, end, last.then))
        begin = end
    return b"".join(_packed(at, step, places) for at, step in enumerate(made))


def _step(number: int, code: int, then: int, otherwise: int, value: int) -> _Step:
    if code == _JUMP:
        return _Step(code, value, number + 1 + value, number + 1 + value)
    return _Step(code, value, number + 1 + then, number + 1 + otherwise)


def _end_of_run(steps: list[_Step], begin: int, entered: set[int]) -> int:
    """Past the last of the comparisons from `begin` on that are with successive numbers and have the same outcome."""
    first = steps[begin]
    if first.code != _IF_EQUAL or first.otherwise != begin + 1:
        return begin + 1
    outcome = _outcome(steps, first.then)
    end = begin + 1
    while (
        end not in entered
        and steps[end].code == _IF_EQUAL
        and steps[end].otherwise == end + 1
        and steps[end].value == first.value + end - begin
        and _outcome(steps, steps[end].then) == outcome
    ):
        end += 1
    return end if end - begin >= _WORTH else begin + 1


def _outcome(steps: list[_Step], at: int) -> tuple[str, int]:
    """What an instruction comes to: a verdict, or itself."""
    while steps[at].code == _JUMP:
        at = steps[at].then
    return ("verdict", steps[at].value) if steps[at].code == _RETURN else ("instruction", at)


def _packed(at: int, step: _Step, places: list[int]) -> bytes:
    if step.code & _CLASS != _JUMPS:
        return _INSTRUCTION.pack(step.code, 0, 0, step.value)
    then = at + 1 if step.then == _NEXT else places[step.then]
    if step.code == _JUMP:
        return _INSTRUCTION.pack(step.code, 0, 0, then - at - 1)
    return _INSTRUCTION.pack(step.code, then - at - 1, places[step.otherwise] - at - 1, step.value)
