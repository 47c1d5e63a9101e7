"""crun's complaints in Docker's words."""

from __future__ import annotations

import pytest

from zonehost.drivers.runtime.words import refusal
from zonehost.errors import Conflict, InvalidParameter, SystemFailure, ZonehostError


@pytest.mark.parametrize(
    ("said", "kind", "message"),
    [
        (
            "2026-11-23T15:00:00.123456Z: executable file `nope` not found in $PATH: No such file or directory\n",
            InvalidParameter,
            'exec: "nope": executable file not found in $PATH',
        ),
        (
            "executable file `./nope` not found in $PATH: No such file or directory",
            InvalidParameter,
            'exec: "./nope": stat ./nope: no such file or directory',
        ),
        ("open executable: Permission denied", InvalidParameter, 'exec: "program": permission denied'),
        ("open executable: Operation not permitted", InvalidParameter, 'exec: "program": permission denied'),
        (
            "the path `/etc/program` exists but it is not executable: Operation not permitted",
            InvalidParameter,
            'exec: "program": permission denied',
        ),
        ("open executable: Is a directory", InvalidParameter, 'exec: "program": is a directory'),
        (
            "exec container process (missing dynamic library?) `/bin/program`: No such file or directory",
            InvalidParameter,
            'exec: "program": no such file or directory',
        ),
        (
            "exec container process `/bin/program`: Exec format error",
            InvalidParameter,
            'exec: "program": exec format error',
        ),
        (
            "2026-11-23T15:00:00Z: chdir `/there`: Not a directory",
            InvalidParameter,
            'chdir to cwd ("/there") set in config.json failed: not a directory',
        ),
        (
            "2026-11-23T15:00:00Z: mount `/run/zonehost/stage/3` to `etc/passwd`: Not a directory",
            InvalidParameter,
            'error mounting to "/etc/passwd": not a directory: Are you trying to mount a directory onto a file (or '
            "vice-versa)? Check if the specified host path exists and is the expected type",
        ),
        ("the container `abc` is not running", Conflict, "the container `abc` is not running"),
        ("", SystemFailure, "OCI runtime create failed: crun gave no reason"),
        ("mount `proc` to `proc`: EPERM", SystemFailure, "OCI runtime create failed: mount `proc` to `proc`: EPERM"),
    ],
)
def test_a_complaint_becomes_an_error(said: str, kind: type[ZonehostError], message: str) -> None:
    error = refusal(said, ["program", "argument"])
    assert type(error) is kind
    assert str(error) == message


def test_an_empty_program_is_not_found() -> None:
    """crun finds a folder of PATH for it, and says that it may not be run."""
    error = refusal("open executable: Operation not permitted", [""])
    assert str(error) == 'exec: "": executable file not found in $PATH'
