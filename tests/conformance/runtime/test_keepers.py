"""Keepers are found by what the kernel says of them, and nobody else can pass for one."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE

import pytest

from tests.conformance.runtime.rig import Rig
from zonehost.drivers.runtime import keepers
from zonehost.linux.cgroup import discover
from zonehost.linux.cgroup_group import Instance, Part

PRETENDER = "exec -a conmon {python} -c 'print(flush=True); input()' --bundle {folder}"


@pytest.mark.parametrize(
    ("ways", "inside"), [(("unshare", "--user"), True), (("unshare", "--pid", "--fork"), True), ((), False)]
)
async def test_a_process_that_only_says_so_is_no_keeper(rig: Rig, ways: tuple[str, ...], inside: bool) -> None:
    zone = await rig.start("sleep", "1000")
    zones = rig.folder / "run" / "zones"
    known = keepers.found(str(zones), rig.name)
    assert set(known) == {zone}
    group = Instance(discover(), rig.name).group(zone).part(Part.ZONE)
    join = f"echo $$ >{group}/cgroup.procs; " if inside else ""
    word = PRETENDER.format(python=sys.executable, folder=zones / zone)
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", f'{join}exec "$@"', "-", *ways, "bash", "-c", word), stdin=PIPE, stdout=PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"\n"
    assert keepers.found(str(zones), rig.name) == known
    await process.communicate(b"\n")
