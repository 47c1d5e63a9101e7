from __future__ import annotations

import json
from typing import Any

import pytest

from zonehost.domain.security import ALL_CAPABILITIES, DEFAULT_CAPABILITIES
from zonehost.drivers.runtime.seccomp import Machine, default_profile, resolve, this_machine
from zonehost.errors import InvalidParameter, Unsupported

AMD64 = Machine("amd64", "SCMP_ARCH_X86_64", (6, 12))
ARM64 = Machine("arm64", "SCMP_ARCH_AARCH64", (6, 12))
ALLOW = "SCMP_ACT_ALLOW"
ERRNO = "SCMP_ACT_ERRNO"


def profile(*rules: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"defaultAction": ERRNO, "syscalls": list(rules), **more}).encode()


def allowed(text: bytes, capabilities: tuple[str, ...] = (), machine: Machine = AMD64) -> list[str]:
    return [name for rule in resolve(text, capabilities, machine)["syscalls"] for name in rule["names"]]


def test_rule_in_the_ocis_form() -> None:
    argument = {"index": 0, "value": 2114060288, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}
    rule = {"names": ["clone"], "action": ERRNO, "errnoRet": 38, "args": [argument], "comment": "c"}
    assert resolve(profile(rule, defaultErrnoRet=1), (), AMD64) == {
        "defaultAction": ERRNO,
        "defaultErrnoRet": 1,
        "architectures": [],
        "syscalls": [{"names": ["clone"], "action": ERRNO, "errnoRet": 38, "args": [argument]}],
    }


def test_old_form_with_a_single_name() -> None:
    assert allowed(profile({"name": "read", "action": ALLOW, "args": None})) == ["read"]


def test_architectures_of_the_machine() -> None:
    arch_map = [
        {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]},
        {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": None},
    ]
    text = profile(archMap=arch_map)
    assert resolve(text, (), AMD64)["architectures"] == ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]
    assert resolve(text, (), ARM64)["architectures"] == ["SCMP_ARCH_AARCH64"]


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"includes": {"caps": ["CAP_A"]}}, True),
        ({"includes": {"caps": ["CAP_A", "CAP_B"]}}, False),
        ({"excludes": {"caps": ["CAP_B"]}}, True),
        ({"excludes": {"caps": ["CAP_A", "CAP_B"]}}, False),
        ({"includes": {"arches": ["arm64", "amd64"]}}, True),
        ({"includes": {"arches": ["arm64"]}}, False),
        ({"excludes": {"arches": ["amd64"]}}, False),
        ({"includes": {"minKernel": "4.8"}}, True),
        ({"includes": {"minKernel": "6.12"}}, True),
        ({"includes": {"minKernel": "6.13"}}, False),
        ({"excludes": {"minKernel": "4.8"}}, False),
        ({"includes": {}, "excludes": {}}, True),
    ],
)
def test_conditions(condition: dict[str, Any], holds: bool) -> None:
    assert allowed(profile({"names": ["read"], "action": ALLOW, **condition}), ("CAP_A",)) == (
        ["read"] if holds else []
    )


def test_the_same_is_not_said_twice() -> None:
    rules = ({"names": ["bpf", "read"], "action": ALLOW}, {"names": ["bpf"], "action": ALLOW})
    assert allowed(profile(*rules)) == ["bpf", "read"]


@pytest.mark.parametrize(
    "text",
    [
        b"[]",
        b"{",
        profile({"names": ["read"], "action": "SCMP_ACT_NONSENSE"}),
        profile({"action": ALLOW}),
        profile({"name": "read", "names": ["read"], "action": ALLOW}),
        profile({"names": ["read"], "action": ALLOW, "args": [{"index": 0, "op": "SCMP_CMP_NONSENSE"}]}),
        profile({"names": "read", "action": ALLOW}),
        profile({"names": ["read"], "action": ALLOW, "includes": {"minKernel": "new"}}),
        profile(architectures=["SCMP_ARCH_X86"], archMap=[{"architecture": "SCMP_ARCH_X86"}]),
    ],
)
def test_what_is_no_profile(text: bytes) -> None:
    with pytest.raises(InvalidParameter, match="Decoding seccomp profile failed"):
        resolve(text, (), AMD64)


@pytest.mark.parametrize(
    "text", [profile(listenerPath="/x"), profile({"names": ["read"], "action": "SCMP_ACT_NOTIFY"})]
)
def test_a_listener_is_not_supported(text: bytes) -> None:
    with pytest.raises(Unsupported):
        resolve(text, (), AMD64)


def verdicts(call: str, capabilities: tuple[str, ...]) -> set[str]:
    """The actions that the default profile's rules without conditions on arguments have for the call."""
    rules = resolve(default_profile(), capabilities, AMD64)["syscalls"]
    return {rule["action"] for rule in rules if call in rule["names"] and "args" not in rule}


@pytest.mark.parametrize("call", ["read", "execve", "ptrace", "mknod", "landlock_create_ruleset", "fchmodat2"])
def test_default_allows(call: str) -> None:
    assert verdicts(call, DEFAULT_CAPABILITIES) == {ALLOW}


@pytest.mark.parametrize(
    "call", ["add_key", "keyctl", "io_uring_setup", "kexec_load", "pivot_root", "swapon", "userfaultfd", "move_pages"]
)
def test_default_denies_even_to_all_capabilities(call: str) -> None:
    assert verdicts(call, ALL_CAPABILITIES) == {ERRNO}


@pytest.mark.parametrize(
    ("call", "capability"),
    [
        ("mount", "CAP_SYS_ADMIN"),
        ("setns", "CAP_SYS_ADMIN"),
        ("unshare", "CAP_SYS_ADMIN"),
        ("bpf", "CAP_SYS_ADMIN"),
        ("bpf", "CAP_BPF"),
        ("perf_event_open", "CAP_PERFMON"),
        ("syslog", "CAP_SYSLOG"),
        ("open_by_handle_at", "CAP_DAC_READ_SEARCH"),
        ("reboot", "CAP_SYS_BOOT"),
        ("finit_module", "CAP_SYS_MODULE"),
        ("set_mempolicy", "CAP_SYS_NICE"),
        ("pidfd_getfd", "CAP_SYS_PTRACE"),
        ("clock_settime", "CAP_SYS_TIME"),
    ],
)
def test_default_opens_with_a_capability(call: str, capability: str) -> None:
    assert verdicts(call, DEFAULT_CAPABILITIES) == {ERRNO}
    assert verdicts(call, (*DEFAULT_CAPABILITIES, capability)) == {ALLOW}


def test_default_hides_clone3() -> None:
    assert verdicts("clone3", DEFAULT_CAPABILITIES) == set()
    assert resolve(default_profile(), (), AMD64)["defaultErrnoRet"] == 38
    assert verdicts("clone3", ALL_CAPABILITIES) == {ALLOW}


@pytest.mark.parametrize("capabilities", [(), DEFAULT_CAPABILITIES, ALL_CAPABILITIES])
def test_default_never_says_two_things_of_one_call(capabilities: tuple[str, ...]) -> None:
    plain: dict[str, str] = {}
    for rule in resolve(default_profile(), capabilities, AMD64)["syscalls"]:
        for name in rule["names"]:
            assert plain.get(name) is None, name
            if "args" not in rule:
                plain[name] = rule["action"]


def test_this_machine_is_known() -> None:
    assert this_machine().token.startswith("SCMP_ARCH_")
    assert this_machine().kernel > (5, 0)
