"""A program found and run as Docker does it, and Docker's words where that fails (LookPath of Go's os/exec)."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from typing import NoReturn

from zonehost.errors import InvalidParameter


def environment(env: Sequence[str], home: str) -> tuple[str, ...]:
    """The variables, with a HOME if they have none, or an empty one."""
    told = f"HOME={home}"
    variables = tuple(told if variable == "HOME=" else variable for variable in env)
    return variables if any(variable.startswith("HOME=") for variable in variables) else (*variables, told)


def run_program(args: Sequence[str], env: Sequence[str]) -> NoReturn:
    """Run the program in place of this process, with all its descriptors but the standard streams closed.

    Raises:
        InvalidParameter: there is no such program, or it cannot be run.
    """
    variables = dict(variable.partition("=")[::2] for variable in env)
    path = _find(args[0], variables.get("PATH", os.defpath))
    try:
        os.execve(path, tuple(args), variables)
    except OSError as error:
        raise _refusal(args[0], error) from error


def _find(name: str, folders: str) -> str:
    """The path of a program: the name itself if it has a slash, else the first that can be run in the folders."""
    if "/" in name:
        _check(name, name)
        return name
    forbidden: InvalidParameter | None = None
    for folder in folders.split(":") if name else ():
        path = os.path.join(folder or ".", name)
        try:
            _check(name, path)
        except InvalidParameter as error:
            forbidden = error if isinstance(error.__cause__, PermissionError) else forbidden
        else:
            return path
    raise forbidden or InvalidParameter(f'exec: "{name}": executable file not found in $PATH')


def _check(name: str, path: str) -> None:
    try:
        if stat.S_ISDIR(os.stat(path).st_mode) or not os.access(path, os.X_OK):  # noqa: PTH116 (Path has its price here)
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except FileNotFoundError as error:
        raise InvalidParameter(f'exec: "{name}": stat {path}: no such file or directory') from error
    except OSError as error:
        raise _refusal(name, error) from error


def _refusal(name: str, error: OSError) -> InvalidParameter:
    return InvalidParameter(f'exec: "{name}": {os.strerror(error.errno or errno.EIO).lower()}')
