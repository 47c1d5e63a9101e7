"""What crun says when it cannot run a program, in the words of Docker, whose command takes its exit code from them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from zonehost.errors import Conflict, InvalidParameter, SystemFailure, ZonehostError

_STAMP: Final = re.compile(r"^\d{4}-\d\d-\d\dT\S+\s*:?\s*")
_NOT_FOUND: Final = re.compile(r"executable file `(?P<name>.*)` not found")
_DENIED: Final = re.compile(
    r"(?:open executable|exec|executable file `.*`|exec `.*`)(?:`.*`)?: (?P<why>Permission denied|Is a directory)"
)
_FORMAT: Final = re.compile(r"Exec format error")
_CWD: Final = re.compile(r"ch?dir(?: to)? `?(?P<path>[^`]*)`?: (?P<why>.+)")


def refusal(message: str, args: Sequence[str]) -> ZonehostError:
    """The error that crun's standard error means, when it was to run `args`."""
    text = "; ".join(_STAMP.sub("", line) for line in message.strip().splitlines() if line.strip())
    program = args[0] if args else ""
    if found := _NOT_FOUND.search(text):
        name = found["name"]
        if "/" in name:
            return InvalidParameter(f'exec: "{name}": stat {name}: no such file or directory')
        return InvalidParameter(f'exec: "{name}": executable file not found in $PATH')
    if denied := _DENIED.search(text):
        return InvalidParameter(f'exec: "{program}": {denied["why"].lower()}')
    if _FORMAT.search(text):
        return InvalidParameter(f"exec {program}: exec format error")
    if where := _CWD.search(text):
        return InvalidParameter(f'chdir to cwd ("{where["path"]}") set in config.json failed: {where["why"].lower()}')
    if "is paused" in text or "is not running" in text:
        return Conflict(text)
    return SystemFailure(f"OCI runtime create failed: {text or 'crun gave no reason'}")
