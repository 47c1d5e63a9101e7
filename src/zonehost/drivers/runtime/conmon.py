"""conmon, the keeper: how it is called, and what is written to its control fifo (conmon(8), conmon's src/ctrl.c).

conmon holds the zone's standard streams, writes its log, serves its attach socket, and leaves its exit code.
"""

from __future__ import annotations

import errno
import os
from typing import Final

import msgspec

from zonehost.domain.blueprint import Blueprint
from zonehost.drivers.runtime.folder import KeeperRecord, ZoneFolder
from zonehost.errors import Conflict, Unsupported

CONMON: Final = "/usr/bin/conmon"
CRUN: Final = "/usr/bin/crun"

RECORD: Final = "ZONEHOST_KEEPER"
"""The variable of a keeper's environment that has its record, as JSON: a file may be damaged, a process is not."""

_RESIZE: Final = 1
_REOPEN_LOGS: Final = 2
_MOST_CELLS: Final = 1000


def command(blueprint: Blueprint, folder: ZoneFolder, crun_root: str, stdin: str) -> list[str]:
    """Its argument vector, with the path of the zone's standard input if that is no terminal and not empty.

    It stays in the foreground, so that the launcher's child is the keeper.
    """
    argv = [CONMON, "--sync", "--cid", blueprint.id, "--cuuid", blueprint.id, "--name", blueprint.id]
    argv += ["--bundle", folder.path, "--persist-dir", folder.path, "--full-attach"]
    argv += ["--container-pidfile", folder.pid_file, "--log-level", "error", "--no-sync-log"]
    argv += ["--log-path", f"k8s-file:{blueprint.log}" if blueprint.log else "none"]
    if blueprint.log and blueprint.log_bound:
        argv += ["--log-size-max", str(blueprint.log_bound)]
    if blueprint.process.tty:
        argv.append("--terminal")
        if blueprint.stdin:
            argv += ["--stdin", "--leave-stdin-open"]
    runtime = [CRUN, "--cgroup-manager=disabled", f"--root={crun_root}"]
    if stdin:
        # conmon knows no standard input of its caller's: a shell opens it for crun
        runtime = ["/bin/sh", "-c", f'exec "$0" "$@" <{stdin}', *runtime]
    argv += ["--runtime", runtime[0]]
    for argument in runtime[1:]:
        argv += ["--runtime-arg", argument]
    return argv


def environment(report: int, temporary: str, record: KeeperRecord) -> dict[str, str]:
    """Its environment: where to report the zone's first process, where to put a terminal's socket, and its record."""
    return {
        "_OCI_SYNCPIPE": str(report),
        "TMPDIR": temporary,
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        RECORD: msgspec.json.encode(record).decode(),
    }


def resize(folder: ZoneFolder, rows: int, columns: int) -> None:
    """Set the size of the zone's terminal.

    Raises:
        Conflict: the zone is not running. Unsupported: a size that conmon does not take.
    """
    if max(rows, columns) > _MOST_CELLS:
        raise Unsupported(f"a terminal of {rows} rows and {columns} columns: {_MOST_CELLS} is the most of either")
    _tell(folder, _RESIZE, rows, columns)


def reopen_log(folder: ZoneFolder) -> None:
    """Have the keeper open its log file anew.

    Raises:
        Conflict: the zone is not running.
    """
    _tell(folder, _REOPEN_LOGS, 0, 0)


def _tell(folder: ZoneFolder, message: int, first: int, second: int) -> None:
    try:
        fifo = os.open(folder.control, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ENXIO, errno.ENOENT):
            raise Conflict(f"container {folder.zone} is not running") from error
        raise
    try:
        os.write(fifo, f"{message} {first} {second}\n".encode())
    finally:
        os.close(fifo)
