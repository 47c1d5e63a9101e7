"""`docker exec`."""

from __future__ import annotations

import asyncio
from typing import Final

from zonehost.domain.failpoint import failpoint
from zonehost.domain.identity import new_id
from zonehost.engine.container.exec_plan import plan_exec
from zonehost.engine.container.exec_session import ExecSession
from zonehost.engine.container.launch import exit_code_of
from zonehost.engine.container.running import check_not_paused
from zonehost.engine.host import Host
from zonehost.engine.state.execs import Exec, ExecRequest
from zonehost.engine.telling import tell_container
from zonehost.errors import Conflict, InvalidParameter, NotFound, ZonehostError
from zonehost.ports.runtime import RunningExec

_SOON: Final = 10.0
"""Seconds that a resize waits for the start, as in Docker."""


async def create_exec(host: Host, ref: str, request: ExecRequest) -> str:
    """Note a further process that shall run in a container; its id.

    Raises:
        NotFound: there is no such container. Conflict: it does not run. InvalidParameter: there is no command, no such
        user, or a variable or folder is badly written.
    """
    zone = host.containers.find(ref)
    check_not_paused(zone, ref)
    if not request.cmd:
        raise InvalidParameter("No exec command specified")
    if request.working_dir and not request.working_dir.startswith("/"):
        raise InvalidParameter(f"Cwd must be an absolute path: {request.working_dir}")
    for variable in request.env:
        if not variable or variable.startswith("="):
            raise InvalidParameter(f"invalid environment variable: {variable}")
    if request.user:
        await host.runtime.check_user(zone.id, request.user)
    entry = Exec(id=new_id(), zone=zone.id, request=request)
    host.execs.add(entry)
    tell_container(host, zone.record, f"exec_create: {_told(request)}", execID=entry.id)
    return entry.id


async def start_exec(
    host: Host, exec_id: str, *, detach: bool, console_size: tuple[int, int] | None = None
) -> ExecSession | None:
    """Run the process; None if nobody listens to it.

    Raises:
        NotFound: there is no such exec. Conflict: it ran already, or its container does not run. InvalidParameter:
        the program cannot be run.
    """
    entry = host.execs.find(exec_id)
    zone = host.containers.get(entry.zone)
    if zone is None:
        raise NotFound(f"No such container: {entry.zone}")
    async with entry.lock:
        if entry.state != "created":
            raise Conflict(f"Error: Exec command {exec_id} has already run")
        check_not_paused(zone, zone.id)
        plan = plan_exec(host, zone.record, entry.id, entry.request, console_size)
        try:
            entry.process = await host.runtime.exec(plan)
        except ZonehostError as error:
            entry.exit_code = exit_code_of(str(error))
            entry.state = "exited"
            entry.tried.set()
            host.execs.ended(entry)
            raise
        failpoint("exec.started")
        entry.state, entry.pid = "running", entry.process.pid
        entry.tried.set()
        host.execs.began(entry)
    tell_container(host, zone.record, f"exec_start: {_told(entry.request)}", execID=entry.id)
    ended = host.spawn(_see_off(host, entry, entry.process), f"exec {entry.id[:12]}")
    if detach:
        host.spawn(_drain(entry.process), f"output of exec {entry.id[:12]}")
        return None
    return ExecSession(host, entry.process, entry.request, ended)


async def resize_exec(host: Host, exec_id: str, *, rows: int, columns: int) -> None:
    """Set the size of its terminal. Clients ask for it while the start is still under way: it is waited for.

    Raises:
        NotFound: there is no such exec. Conflict: it does not run, or is not started soon.
    """
    entry = host.execs.find(exec_id)
    if not entry.tried.is_set():
        late = asyncio.ensure_future(host.clock.sleep(_SOON))
        tried = asyncio.ensure_future(entry.tried.wait())
        await asyncio.wait((late, tried), return_when=asyncio.FIRST_COMPLETED)
        late.cancel()
        tried.cancel()
    if entry.process is None or entry.state != "running":
        raise Conflict(f"exec {exec_id} is not running")
    await entry.process.resize(rows, columns)


def inspect_exec(host: Host, exec_id: str) -> Exec:
    """What is known of an exec.

    Raises:
        NotFound: there is none, or its container is gone.
    """
    return host.execs.find(exec_id)


def _told(request: ExecRequest) -> str:
    """The command as events tell it: Docker's has a blank behind one that has no arguments."""
    return f"{request.cmd[0]} {' '.join(request.cmd[1:])}"


async def _see_off(host: Host, entry: Exec, process: RunningExec) -> None:
    """Note how it ended."""
    entry.exit_code = await process.wait()
    entry.state, entry.process = "exited", None
    host.execs.ended(entry)
    zone = host.containers.get(entry.zone)
    if zone is not None:
        tell_container(host, zone.record, "exec_die", execID=entry.id, exitCode=str(entry.exit_code))


async def _drain(process: RunningExec) -> None:
    """Nobody listens: its output must not stop it."""
    while await process.streams.read():
        pass
    await process.streams.close()
