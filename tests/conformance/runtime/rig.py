"""Zones of a busybox root, driven through the runtime's port, and a look at what the kernel holds of them."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from zonehost.domain.blueprint import Blueprint, ExecPlan, Process, Root
from zonehost.domain.identity import new_id
from zonehost.drivers.runtime.driver import PRELOAD, ZoneRuntime
from zonehost.linux.cgroup import discover
from zonehost.linux.cgroup_group import Instance
from zonehost.linux.forkserver import ForkServer
from zonehost.ports.runtime import Exit, RunningExec
from zonehost.ports.streams import Stream, Streams

_COUNT = itertools.count()
_ENV = ("PATH=/bin",)


def make_busybox_root(at: Path) -> Path:
    """A root file system of nothing but busybox and two users."""
    for folder in ("bin", "etc", "proc", "sys", "dev", "tmp", "home/ann"):
        (at / folder).mkdir(parents=True)
    (at / "tmp").chmod(0o1777)
    shutil.copy("/bin/busybox", at / "bin/busybox")
    for applet in ("sh", "true", "false", "cat", "id", "sleep", "stty", "echo", "dd", "touch", "stat", "ps", "mount"):
        (at / "bin" / applet).symlink_to("busybox")
    (at / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n")
    (at / "etc/group").write_text("root:x:0:\nann:x:1000:\nwheel:x:10:root,ann\n")
    (at / "etc/passwd-not-executable").write_text("")
    return at


class Rig:
    """A runtime of an instance of its own, below `folder`."""

    def __init__(self, folder: Path, layer: Path, forks: ForkServer) -> None:
        self.folder = folder
        self._layer = layer
        self.forks = forks
        self.name = f"test-{os.getpid()}-{next(_COUNT)}"
        self.runtime = self.another_runtime()
        self.exits = self.runtime.exits()

    def another_runtime(self) -> ZoneRuntime:
        """As after a restart of the daemon."""
        return ZoneRuntime(self.forks, self.forks, discover(), self.name, str(self.folder / "run"))

    def blueprint(self, *args: str, **given: Any) -> Blueprint:
        """A zone that runs a command; keywords are fields of its blueprint or of its process."""
        zone = new_id()
        dataset = self.folder / "zones" / zone
        for name in ("root/upper", "root/work", "log"):
            (dataset / name).mkdir(parents=True)
        process = {key: given.pop(key) for key in list(given) if key in Process.__struct_fields__}
        given.setdefault("log", str(dataset / "log/log"))
        return Blueprint(
            id=zone,
            root=Root(layers=(str(self._layer),), dataset=str(dataset)),
            process=Process(args=args, env=_ENV, **process),
            hostname="zone",
            **given,
        )

    async def start(self, *args: str, **given: Any) -> str:
        """The id of a zone that runs the command."""
        blueprint = self.blueprint(*args, **given)
        await self.runtime.create(blueprint)
        await self.runtime.start(blueprint.id)
        return blueprint.id

    async def run(self, *args: str, **given: Any) -> tuple[int, str]:
        """The exit code and the output of a command in a zone that is removed again."""
        blueprint = self.blueprint(*args, **given)
        await self.runtime.create(blueprint)
        streams = await self.runtime.attach(blueprint.id)
        await self.runtime.start(blueprint.id)
        output = await read_all(streams)
        code = (await self.next_exit()).code
        await streams.close()
        await self.runtime.remove(blueprint.id)
        return code, b"".join(data for _, data in output).decode()

    async def next_exit(self) -> Exit:
        """The next end of a zone."""
        return await anext(self.exits)

    async def exec(self, zone: str, *args: str, **given: Any) -> RunningExec:
        """A further process in a zone."""
        stdin = given.pop("stdin", False)
        plan = ExecPlan(zone=zone, id=new_id(), process=Process(args=args, env=_ENV, **given), stdin=stdin)
        return await self.runtime.exec(plan)

    async def ask(self, zone: str, *args: str, **given: Any) -> tuple[int, str]:
        """The exit code and the output of a further process."""
        running = await self.exec(zone, *args, **given)
        output = await read_all(running.streams)
        await running.streams.close()
        return await running.wait(), b"".join(data for _, data in output).decode()

    def groups(self) -> list[str]:
        """The zones' cgroups that exist, in all hierarchies."""
        roots = discover().roots
        return [str(path) for root in roots for path in Path(root, "zonehost", self.name).glob("*/")]

    def folders(self) -> list[str]:
        """The folders of zones below the run root."""
        return [str(path) for name in ("zones", "crun") for path in (self.folder / "run" / name).iterdir()]


def descriptors() -> int:
    """How many descriptors this process has open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def read_all(streams: Streams) -> list[tuple[Stream, bytes]]:
    """All chunks to the end."""
    chunks: list[tuple[Stream, bytes]] = []
    while more := await streams.read():
        chunks += more
    return chunks


async def read_line(streams: Streams) -> bytes:
    """Output up to the end of a line."""
    line = b""
    while not line.endswith(b"\n") and (more := await streams.read()):
        line += b"".join(data for _, data in more)
    return line


@asynccontextmanager
async def open_rig(folder: Path, layer: Path) -> AsyncIterator[Rig]:
    """A rig; at the end every zone is removed, and its instance's cgroups."""
    forks = ForkServer(PRELOAD)
    forks.start()
    rig = Rig(folder, layer, forks)
    try:
        yield rig
    finally:
        sweeper = rig.another_runtime()
        survey = await sweeper.survey()
        for zone in {running.zone for running in survey.running} | survey.remains:
            await sweeper.remove(zone)
        await rig.runtime.close()
        await forks.close()
        Instance(discover(), rig.name).remove()
