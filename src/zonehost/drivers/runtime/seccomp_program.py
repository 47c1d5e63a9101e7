"""A resolved seccomp filter as the program that the kernel loads, compiled once and kept.

libseccomp, which crun depends on as well, takes some 25 ms for the default filter, and crun 1.8 has no cache: it is
given the finished program in an annotation of its own instead of the filter (crun(1), `run.oci.seccomp_bpf_data`).
"""

from __future__ import annotations

import base64
import ctypes
import errno
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache, lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec

from zonehost.drivers.runtime.seccomp import default_profile, resolve, this_machine
from zonehost.drivers.runtime.seccomp_ranges import condensed
from zonehost.errors import InvalidParameter, SystemFailure
from zonehost.linux.vacate import vacate

ANNOTATION: Final = "run.oci.seccomp_bpf_data"
_ACTIONS: Final = {
    "KILL": 0,
    "KILL_THREAD": 0,
    "KILL_PROCESS": 0x80000000,
    "TRAP": 0x00030000,
    "ERRNO": 0x00050000,
    "TRACE": 0x7FF00000,
    "LOG": 0x7FFC0000,
    "ALLOW": 0x7FFF0000,
}
_WITH_NUMBER: Final = ("ERRNO", "TRACE")
_OPERATORS: Final = {"NE": 1, "LT": 2, "LE": 3, "EQ": 4, "GE": 5, "GT": 6, "MASKED_EQ": 7}
_UNKNOWN_CALL: Final = -1
_DIGITS: Final = sha256().digest_size * 2
_NOT_KEPT: Final = (FileNotFoundError, IsADirectoryError, ValueError)
"""Why there may be no program where one is kept: none was made yet, or that is not what was written."""
_DEFAULT: Final = sha256(default_profile()).digest()
"""Of the default profile: made here, in the fork server, and not at each birth."""


class _Comparison(ctypes.Structure):
    """struct scmp_arg_cmp of seccomp.h."""

    _fields_ = (
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("datum_a", ctypes.c_uint64),
        ("datum_b", ctypes.c_uint64),
    )


def program(profile: dict[str, Any], capabilities: Sequence[str], folder: str) -> str:
    """The program of a profile in Docker's form (an empty one is the default) for these capabilities, in base64.

    It is compiled once for each profile and set of capabilities, and kept in the folder, which goes with a reboot.

    Raises:
        InvalidParameter: the profile is not one, or cannot be compiled.
        Unsupported: it wants a user-space listener.
    """
    own = msgspec.json.encode(profile) if profile else b""
    machine = this_machine()
    key = sha256((sha256(own).digest() if own else _DEFAULT) + repr((machine, sorted(capabilities))).encode())
    path = Path(folder, key.hexdigest())
    with suppress(*_NOT_KEPT):
        return _checked(path.read_bytes())
    text = own or default_profile()
    made = base64.b64encode(condensed(compile_filter(resolve(text, capabilities, machine))))
    path.parent.mkdir(mode=0o700, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}")
    temporary.write_bytes(made + sha256(made).hexdigest().encode())
    if path.is_dir():
        vacate(path)
    temporary.rename(path)
    return made.decode()


def _checked(kept: bytes) -> str:
    """A program as it was kept: a zone under half of one would do what it may not.

    Raises:
        ValueError: that is not what was written.
    """
    made, digest = kept[:-_DIGITS], kept[-_DIGITS:]
    if sha256(made).hexdigest().encode() != digest:
        raise ValueError("a kept program is damaged")
    return made.decode()


def given(annotations: Mapping[str, str]) -> bytes:
    """The program that a zone's annotations hold, as an array of struct sock_filter; empty if it has none."""
    return _decoded(annotations.get(ANNOTATION, ""))


@lru_cache(maxsize=64)
def _decoded(text: str) -> bytes:
    """One object for all zones that have the same."""
    return base64.b64decode(text)


def compile_filter(resolved: dict[str, Any]) -> bytes:
    """The program of an OCI `linux.seccomp`, as an array of struct sock_filter.

    Raises:
        InvalidParameter: libseccomp refuses a part of it.
    """
    library = _library()
    default = _action(resolved["defaultAction"], resolved.get("defaultErrnoRet"))
    context = library.seccomp_init(default)
    if not context:
        raise InvalidParameter(f"seccomp: invalid default action {resolved['defaultAction']}")
    try:
        for name in resolved["architectures"]:
            token = library.seccomp_arch_resolve_name(name.removeprefix("SCMP_ARCH_").lower().encode())
            _check(library.seccomp_arch_add(context, token), f"architecture {name}", spared=errno.EEXIST)
        for rule in resolved["syscalls"]:
            action = _action(rule["action"], rule.get("errnoRet"))
            if action != default:
                _add(library, context, action, rule)
        return _export(library, context)
    finally:
        library.seccomp_release(context)


def _add(library: ctypes.CDLL, context: int, action: int, rule: dict[str, Any]) -> None:
    comparisons = [
        _Comparison(arg["index"], _OPERATORS[arg["op"].removeprefix("SCMP_CMP_")], arg["value"], arg["valueTwo"])
        for arg in rule.get("args", ())
    ]
    # Two conditions on one argument are alternatives, as in crun and runc: libseccomp does not take them together.
    together = len({comparison.arg for comparison in comparisons}) == len(comparisons)
    groups = [comparisons] if together else [[comparison] for comparison in comparisons]
    for name in rule["names"]:
        call = library.seccomp_syscall_resolve_name(name.encode())
        if call == _UNKNOWN_CALL:  # newer than the library, or of another system: the default action is its answer
            continue
        for group in groups:
            array = (_Comparison * len(group))(*group)
            _check(library.seccomp_rule_add_array(context, action, call, len(group), array), f"rule for {name}")


def _export(library: ctypes.CDLL, context: int) -> bytes:
    with os.fdopen(os.memfd_create("seccomp"), "w+b") as file:
        _check(library.seccomp_export_bpf(context, file.fileno()), "program")
        file.seek(0)
        return file.read()


def _action(name: str, number: int | None) -> int:
    """The SCMP_ACT_ value; without a number ERRNO answers EPERM."""
    kind = name.removeprefix("SCMP_ACT_")
    return _ACTIONS[kind] | (errno.EPERM if number is None else number) if kind in _WITH_NUMBER else _ACTIONS[kind]


def _check(result: int, what: str, spared: int = 0) -> None:
    if result < 0 and -result != spared:
        raise InvalidParameter(f"seccomp: cannot add the {what}: {os.strerror(-result)}")


@cache
def _library() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL("libseccomp.so.2")
    except OSError as error:
        raise SystemFailure(f"libseccomp is missing; install the package libseccomp2: {error}") from error
    context, number = ctypes.c_void_p, ctypes.c_uint32
    library.seccomp_init.argtypes, library.seccomp_init.restype = (number,), context
    library.seccomp_release.argtypes, library.seccomp_release.restype = (context,), None
    library.seccomp_arch_resolve_name.restype = number
    library.seccomp_arch_add.argtypes = (context, number)
    library.seccomp_rule_add_array.argtypes = (
        context,
        number,
        ctypes.c_int,
        ctypes.c_uint,
        ctypes.POINTER(_Comparison),
    )
    library.seccomp_export_bpf.argtypes = (context, ctypes.c_int)
    return library
