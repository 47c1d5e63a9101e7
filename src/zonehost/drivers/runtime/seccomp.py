"""Seccomp profiles: from Docker's JSON form to the filter of one process in the OCI's form.

A profile says for which capabilities, architectures and kernels a rule holds; a filter is what is left of it here. The
default profile is `seccomp_default.json` beside this module. Compiling a filter is the OCI runtime's work.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from zonehost.errors import InvalidParameter, Unsupported

_ACTIONS: Final = ("ALLOW", "ERRNO", "KILL", "KILL_PROCESS", "KILL_THREAD", "LOG", "NOTIFY", "TRACE", "TRAP")
_OPERATORS: Final = ("NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ")


class Machine(NamedTuple):
    """What a filter depends on besides the process: Docker's and libseccomp's names of the architecture, the kernel."""

    architecture: str
    token: str
    kernel: tuple[int, int]


class _Argument(msgspec.Struct, frozen=True, rename="camel"):
    index: int
    op: str
    value: int = 0
    value_two: int = 0


class _Condition(msgspec.Struct, frozen=True, rename="camel"):
    caps: tuple[str, ...] | None = None
    arches: tuple[str, ...] | None = None
    min_kernel: str = ""


class _Rule(msgspec.Struct, frozen=True, rename="camel"):
    action: str
    names: tuple[str, ...] = ()
    name: str = ""
    errno_ret: int | None = None
    args: tuple[_Argument, ...] | None = None
    includes: _Condition | None = None
    excludes: _Condition | None = None


class _Architecture(msgspec.Struct, frozen=True, rename="camel"):
    architecture: str
    sub_architectures: tuple[str, ...] | None = None


class _Profile(msgspec.Struct, frozen=True, rename="camel"):
    default_action: str
    default_errno_ret: int | None = None
    arch_map: tuple[_Architecture, ...] | None = None
    architectures: tuple[str, ...] | None = None
    flags: tuple[str, ...] | None = None
    listener_path: str = ""
    syscalls: tuple[_Rule, ...] | None = None


@cache
def this_machine() -> Machine:
    """The machine that this runs on."""
    architecture, token = {
        "x86_64": ("amd64", "SCMP_ARCH_X86_64"),
        "aarch64": ("arm64", "SCMP_ARCH_AARCH64"),
        "ppc64le": ("ppc64le", "SCMP_ARCH_PPC64LE"),
        "riscv64": ("riscv64", "SCMP_ARCH_RISCV64"),
    }[os.uname().machine]
    return Machine(architecture, token, _version(os.uname().release))


def default_profile() -> bytes:
    """The default profile, as JSON."""
    return Path(__file__).with_name("seccomp_default.json").read_bytes()


def resolve(profile: bytes, capabilities: Collection[str], machine: Machine) -> dict[str, Any]:
    """The OCI's `linux.seccomp` for a process with these capabilities.

    Raises:
        InvalidParameter: the profile is not one, in Docker's words.
        Unsupported: it wants a user-space listener.
    """
    try:
        return _resolve(msgspec.json.decode(profile, type=_Profile), capabilities, machine)
    except (msgspec.DecodeError, ValueError) as error:
        raise InvalidParameter(f"Decoding seccomp profile failed: {error}") from error


def _resolve(profile: _Profile, capabilities: Collection[str], machine: Machine) -> dict[str, Any]:
    if profile.arch_map and profile.architectures:
        raise ValueError("both 'architectures' and 'archMap' are specified, use either")
    if profile.listener_path:
        raise Unsupported("seccomp: listenerPath is not supported")
    _check_action(profile.default_action)
    resolved: dict[str, Any] = {
        "defaultAction": profile.default_action,
        "architectures": _architectures(profile, machine),
        "syscalls": _rules(profile, capabilities, machine),
    }
    if profile.default_errno_ret is not None:
        resolved["defaultErrnoRet"] = profile.default_errno_ret
    if profile.flags:
        resolved["flags"] = profile.flags
    return resolved


def _architectures(profile: _Profile, machine: Machine) -> list[str]:
    for entry in profile.arch_map or ():
        if entry.architecture == machine.token:
            return [entry.architecture, *(entry.sub_architectures or ())]
    return list(profile.architectures or ())


def _rules(profile: _Profile, capabilities: Collection[str], machine: Machine) -> list[dict[str, Any]]:
    """The rules that hold here. Where two say the same of a call, once: libseccomp refuses to be told twice."""
    rules: list[dict[str, Any]] = []
    told: set[tuple[object, ...]] = set()
    for rule in profile.syscalls or ():
        _check(rule)
        if not _holds(rule, capabilities, machine):
            continue
        sense = (rule.action, rule.errno_ret, rule.args)
        names = [name for name in rule.names or (rule.name,) if (name, sense) not in told]
        told.update((name, sense) for name in names)
        if not names:
            continue
        entry: dict[str, Any] = {"names": names, "action": rule.action}
        if rule.errno_ret is not None:
            entry["errnoRet"] = rule.errno_ret
        if rule.args:
            entry["args"] = [
                {"index": arg.index, "value": arg.value, "valueTwo": arg.value_two, "op": arg.op} for arg in rule.args
            ]
        rules.append(entry)
    return rules


def _holds(rule: _Rule, capabilities: Collection[str], machine: Machine) -> bool:
    if (needs := rule.includes) and not (
        all(name in capabilities for name in needs.caps or ())
        and (not needs.arches or machine.architecture in needs.arches)
        and (not needs.min_kernel or machine.kernel >= _version(needs.min_kernel))
    ):
        return False
    bars = rule.excludes
    return not bars or not (
        any(name in capabilities for name in bars.caps or ())
        or machine.architecture in (bars.arches or ())
        or (bars.min_kernel and machine.kernel >= _version(bars.min_kernel))
    )


def _check(rule: _Rule) -> None:
    _check_action(rule.action)
    if rule.name and rule.names:
        raise ValueError("both 'name' and 'names' are specified, use either")
    if not rule.name and not rule.names:
        raise ValueError("a rule has neither 'name' nor 'names'")
    for argument in rule.args or ():
        if argument.op.removeprefix("SCMP_CMP_") not in _OPERATORS:
            raise ValueError(f"unknown operator {argument.op}")


def _check_action(action: str) -> None:
    if action.removeprefix("SCMP_ACT_") not in _ACTIONS:
        raise ValueError(f"unknown action {action}")
    if action == "SCMP_ACT_NOTIFY":
        raise Unsupported("seccomp: SCMP_ACT_NOTIFY is not supported")


def _version(release: str) -> tuple[int, int]:
    major, minor, *_ = release.split(".")
    return int(major), int("".join(filter(str.isdecimal, minor.split("-")[0])))
