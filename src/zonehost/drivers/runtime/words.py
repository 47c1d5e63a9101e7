"""What crun says when it cannot run a program, in the words of Docker, whose command takes its exit code from them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from zonehost.errors import Conflict, InvalidParameter, SystemFailure, ZonehostError

_STAMP: Final = re.compile(r"^\d{4}-\d\d-\d\dT\S+\s*:?\s*")
_NOT_FOUND: Final = re.compile(r"executable file `(?P<name>.*)` not found")
_NOT_RUN: Final = re.compile(
    r"(?:open executable|exec container process.*|the path `.*` exists but it is not executable): (?P<why>[A-Z][\w ]+)$"
)
_NOT_PERMITTED: Final = "operation not permitted"
"""crun's word for a directory, and from 1.20 on for any file that is not executable."""
_NOT_ALIKE: Final = re.compile(r"mount `.*` to `(?P<place>.*)`: Not a directory$")
_NO_DIRECTORY: Final = re.compile(r"chdir(?: to)? `(?P<path>.*)`: (?P<why>.+)$")


def refusal(message: str, args: Sequence[str]) -> ZonehostError:
    """The error that crun's standard error means, when it was to run `args`."""
    text = "; ".join(_STAMP.sub("", line) for line in message.strip().splitlines() if line.strip())
    program = args[0] if args else ""
    if found := _NOT_FOUND.search(text):
        name = found["name"]
        if "/" in name:
            return InvalidParameter(f'exec: "{name}": stat {name}: no such file or directory')
        return InvalidParameter(f'exec: "{name}": executable file not found in $PATH')
    if args and not program:
        return InvalidParameter('exec: "": executable file not found in $PATH')
    if refused := _NOT_RUN.search(text):
        why = refused["why"].lower()
        return InvalidParameter(f'exec: "{program}": {"permission denied" if why == _NOT_PERMITTED else why}')
    if where := _NOT_ALIKE.search(text):
        return InvalidParameter(
            f'error mounting to "/{where["place"]}": not a directory: Are you trying to mount a directory onto a file '
            "(or vice-versa)? Check if the specified host path exists and is the expected type"
        )
    if where := _NO_DIRECTORY.search(text):
        return InvalidParameter(f'chdir to cwd ("{where["path"]}") set in config.json failed: {where["why"].lower()}')
    if "is paused" in text or "is not running" in text:
        return Conflict(text)
    return SystemFailure(f"OCI runtime create failed: {text or 'crun gave no reason'}")
