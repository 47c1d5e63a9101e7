"""Signals by name and by number, as Docker spells them. Linux numbers, whatever machine this runs on."""

from __future__ import annotations

from typing import Final

from zonehost.errors import InvalidParameter

_ORDER: Final = (
    "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG "
    "XCPU XFSZ VTALRM PROF WINCH IO PWR SYS"
)
_NUMBERS: Final = {name: number for number, name in enumerate(_ORDER.split(), start=1)} | {
    "IOT": 6,
    "CLD": 17,
    "POLL": 29,
}
# The C library keeps 32 and 33 for itself; RTMIN is 34 there (signal(7)).
_RTMIN: Final = 34
_RTMAX: Final = 64
_NUMBERS.update({"RTMIN": _RTMIN, "RTMAX": _RTMAX})
_NUMBERS.update({f"RTMIN+{i}": _RTMIN + i for i in range(1, 16)})
_NUMBERS.update({f"RTMAX-{i}": _RTMAX - i for i in range(1, 15)})

SIGKILL: Final = 9
SIGTERM: Final = 15


def parse_signal(text: str) -> int:
    """The number of a signal given by name (with or without SIG, in any case) or by number.

    Raises:
        InvalidParameter: there is no such signal.
    """
    if text.isdecimal():
        number = int(text)
        if number > _RTMAX:
            raise InvalidParameter(f"the linux daemon does not support signal {number}")
        if number:
            return number
    number = _NUMBERS.get(text.upper().removeprefix("SIG"), 0)
    if not number:
        raise InvalidParameter(f"invalid signal: {text}")
    return number
