"""Execs, as inspect shows them."""

from __future__ import annotations

from typing import Any

from zonehost.engine.state.execs import Exec


def inspected(found: Exec) -> dict[str, Any]:
    """`GET /exec/{id}/json`."""
    request = found.request
    return {
        "ID": found.id,
        "Running": found.state == "running",
        "ExitCode": found.exit_code,
        "ProcessConfig": {
            "tty": request.tty,
            "entrypoint": request.cmd[0],
            "arguments": request.cmd[1:],
            "privileged": request.privileged,
            "user": request.user,
        },
        "OpenStdin": request.attach_stdin,
        "OpenStderr": request.attach_stderr,
        "OpenStdout": request.attach_stdout,
        "CanRemove": found.state == "exited",
        "ContainerID": found.zone,
        "DetachKeys": request.detach_keys,
        "Pid": found.pid,
    }
