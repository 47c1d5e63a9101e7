"""Jobs that the fork server's tests run."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zonehost.linux import lent_memory
from zonehost.linux.forkloop import Program


def end_with(code: int, _: Sequence[int]) -> int:
    """End with the code."""
    return code


def end_by(number: int, _: Sequence[int]) -> None:
    """End by the signal."""
    os.kill(os.getpid(), number)


def echo(text: str, fds: Sequence[int]) -> None:
    """Write the text to the descriptor."""
    os.write(fds[0], text.encode())


def wait_and_end_with(code: int, fds: Sequence[int]) -> int:
    """Wait for a byte, then end with the code."""
    os.read(fds[0], 1)
    return code


def leave(_: Any, fds: Sequence[int]) -> None:
    """Leave the server's process group, say so, and stay."""
    os.setsid()
    os.write(fds[0], b"left")
    signal.pause()


def stay(_: Any, __: Sequence[int]) -> None:
    """Stay until killed."""
    time.sleep(600)


def own_group(_: Any, fds: Sequence[int]) -> None:
    """Write the v2 cgroup of this process to the descriptor."""
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    os.write(fds[0], next(line[3:] for line in lines if line.startswith("0::")).encode())


def tell_place(_: Any, fds: Sequence[int]) -> None:
    """Run a program that writes its v2 cgroup, its pids in the namespaces and its descriptors to the descriptor."""
    os.dup2(fds[0], 1)
    os.execv("/bin/sh", ["sh", "-c", "grep ^0: /proc/self/cgroup; grep NSpid /proc/self/status; ls /proc/self/fd"])


def run_cat(_: Any, fds: Sequence[int]) -> None:
    """Run a program that copies the first descriptor to the second."""
    os.dup2(fds[0], 0)
    os.dup2(fds[1], 1)
    os.execv("/bin/cat", ["cat"])


def lends(_: Any, __: Sequence[int]) -> int:
    """End with whether memory can be lent here."""
    return lent_memory.can_lend()


def end_as(script: str, fds: Sequence[int]) -> Program:
    """End as a shell with this script, the first descriptor as its output, and nothing else."""
    os.dup2(fds[0], 1)
    os.chdir("/proc")
    os.nice(1)
    return Program(["/bin/sh", "-c", script], {"WORD": "told"})


def end_as_nothing(_: Any, __: Sequence[int]) -> Program:
    """End as a program that is not there."""
    return Program(["/nothing"], {})


def fail(_: Any, __: Sequence[int]) -> Program:
    """Raise, with a descriptor in a cycle."""
    held: list[Any] = [socket.socket()]
    held.append(held)
    raise ValueError("as a bug does")
