"""The default filter, compiled and loaded into a process of its own."""

from __future__ import annotations

import base64
import subprocess
import sys
from pathlib import Path

import pytest

from zonehost.domain.security import ALL_CAPABILITIES, DEFAULT_CAPABILITIES
from zonehost.drivers.runtime.seccomp_program import program
from zonehost.errors import InvalidParameter

TRY = """
import base64, ctypes, os, socket, sys
code = base64.b64decode(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]
libc.prctl(38, 1, 0, 0, 0)
assert libc.prctl(22, 2, ctypes.byref(Program(len(code) // 8, code)), 0, 0) == 0
def answer(call):
    ctypes.set_errno(0)
    try:
        result = call()
    except OSError as error:
        return error.errno
    return ctypes.get_errno() if result == -1 else 0
for line in sys.stdin:
    print(answer(eval("lambda: " + line)), flush=True)
"""
EPERM, ENOSYS = 1, 38


def answers(filter_program: str, *calls: str) -> list[int]:
    done = subprocess.run(
        [sys.executable, "-c", TRY, filter_program], input="\n".join(calls), capture_output=True, text=True, check=True
    )
    return [int(line) for line in done.stdout.split()]


def test_default_filter(tmp_path: Path) -> None:
    filter_program = program({}, DEFAULT_CAPABILITIES, str(tmp_path))
    expected = {
        "os.getpid() and None": 0,
        "os.wait4(os.fork() or os._exit(0), 0) and None": 0,
        "libc.unshare(0x20000)": EPERM,
        "libc.unshare(0x10000000)": EPERM,
        "libc.syscall(56, 0x20000000 | 17, 0, 0, 0, 0)": EPERM,  # clone, a new pid namespace
        "libc.syscall(435, 0, 0)": ENOSYS,  # clone3
        "libc.syscall(321, 0, 0, 0)": EPERM,  # bpf
        "libc.syscall(425, 1, 0)": EPERM,  # io_uring_setup
        "libc.syscall(9999)": ENOSYS,
        "socket.socket(socket.AF_INET).close()": 0,
        "socket.socket(socket.AF_UNIX).close()": 0,
        "socket.socket(38, socket.SOCK_SEQPACKET, 0)": EPERM,  # AF_ALG
        "socket.socket(40, socket.SOCK_STREAM, 0)": EPERM,  # AF_VSOCK
        "libc.personality(0xffffffff) and None": 0,
        "libc.personality(0x40000)": EPERM,
    }
    assert dict(zip(expected, answers(filter_program, *expected), strict=True)) == expected


def test_capabilities_open_calls(tmp_path: Path) -> None:
    filter_program = program({}, ALL_CAPABILITIES, str(tmp_path))
    assert answers(filter_program, "libc.unshare(0x20000)", "libc.syscall(321, 99, 0, 0)")[0] == 0


def test_a_profile_of_the_users(tmp_path: Path) -> None:
    profile = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [
            {"names": ["mkdir", "mkdirat", "no_such_call"], "action": "SCMP_ACT_ERRNO", "errnoRet": 17},
            {"names": ["getcpu"], "action": "SCMP_ACT_ALLOW"},
            {
                "names": ["umask"],
                "action": "SCMP_ACT_ERRNO",
                "args": [
                    {"index": 0, "value": 1, "op": "SCMP_CMP_EQ"},
                    {"index": 0, "value": 2, "op": "SCMP_CMP_EQ"},
                ],
            },
        ],
    }
    calls = ("os.mkdir('/x')", "libc.syscall(95, 1)", "libc.syscall(95, 2)", "libc.syscall(95, 0o22) and None")
    assert answers(program(profile, (), str(tmp_path)), *calls) == [17, EPERM, EPERM, 0]


def test_a_program_is_compiled_once(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    made = program({}, DEFAULT_CAPABILITIES, str(folder))
    (kept,) = folder.iterdir()
    assert len(base64.b64decode(made)) % 8 == 0
    written = kept.stat().st_mtime_ns
    assert program({}, DEFAULT_CAPABILITIES, str(folder)) == made
    assert kept.stat().st_mtime_ns == written
    assert program({}, (), str(folder)) != made


def test_half_a_program_is_not_loaded(tmp_path: Path) -> None:
    made = program({}, DEFAULT_CAPABILITIES, str(tmp_path))
    (kept,) = tmp_path.iterdir()
    kept.write_bytes(kept.read_bytes()[: len(made) // 2])
    assert program({}, DEFAULT_CAPABILITIES, str(tmp_path)) == made
    kept.unlink()
    kept.mkdir()
    assert program({}, DEFAULT_CAPABILITIES, str(tmp_path)) == made


def test_what_libseccomp_refuses(tmp_path: Path) -> None:
    rule = {"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 9, "value": 0, "op": "SCMP_CMP_EQ"}]}
    with pytest.raises(InvalidParameter, match="rule for read"):
        program({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [rule]}, (), str(tmp_path))
