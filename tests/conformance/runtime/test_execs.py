"""What a further process of a zone has, and what it must not have: see `drivers.runtime.exec_job`."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from tests.conformance.runtime.rig import Rig, read_all
from zonehost.domain.host_config import Ulimit
from zonehost.domain.security import ALL_CAPABILITIES, DEFAULT_CAPABILITIES
from zonehost.errors import InvalidParameter

_DEFAULT_BITS = sum(1 << ALL_CAPABILITIES.index(name) for name in DEFAULT_CAPABILITIES)


async def _status(rig: Rig, zone: str, **given: object) -> dict[str, str]:
    code, text = await rig.ask(zone, "cat", "/proc/self/status", **given)
    assert code == 0, text
    return {name: value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}


async def test_root_has_the_capabilities_it_is_given(rig: Rig) -> None:
    zone = await rig.start("sleep", "100")
    status = await _status(rig, zone, capabilities=DEFAULT_CAPABILITIES)
    found = [int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")]
    assert found == [0, _DEFAULT_BITS, _DEFAULT_BITS, _DEFAULT_BITS, 0]


async def test_another_user_has_none_but_may_get_them_from_a_file(rig: Rig) -> None:
    zone = await rig.start("sleep", "100")
    status = await _status(rig, zone, capabilities=DEFAULT_CAPABILITIES, user="1234:5678", groups=("9",))
    assert (status["Uid"].split(), status["Gid"].split(), status["Groups"].split()) == (
        ["1234"] * 4,
        ["5678"] * 4,
        ["9", "5678"],
    )
    found = [int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")]
    assert found == [0, 0, 0, _DEFAULT_BITS, 0]


@pytest.mark.parametrize("user", ["", "0", "1234:5678", "root", "0:root", "65535"])
async def test_a_user_of_the_zone_is_known(rig: Rig, user: str) -> None:
    zone = await rig.start("sleep", "100")
    await rig.runtime.check_user(zone, user)


@pytest.mark.parametrize(
    ("user", "why"),
    [
        ("nosuch", "unable to find user nosuch"),
        ("0:nosuch", "unable to find group nosuch"),
        ("65536", "uids and gids must be below 65536"),
    ],
)
async def test_a_user_that_the_zone_does_not_have_is_refused(rig: Rig, user: str, why: str) -> None:
    zone = await rig.start("sleep", "100")
    with pytest.raises(InvalidParameter, match=why):
        await rig.runtime.check_user(zone, user)


@pytest.mark.parametrize("forgone", [False, True])
async def test_it_is_under_the_zones_filter(rig: Rig, forgone: bool) -> None:
    zone = await rig.start("sleep", "100", seccomp={})
    status = await _status(rig, zone, no_new_privileges=forgone)
    assert (status["Seccomp"], status["Seccomp_filters"], status["NoNewPrivs"]) == ("2", "1", str(int(forgone)))


async def test_it_has_no_filter_where_the_zone_has_none(rig: Rig) -> None:
    zone = await rig.start("sleep", "100")
    assert (await _status(rig, zone))["Seccomp"] == "0"


@pytest.mark.parametrize("tty", [False, True])
async def test_it_has_three_descriptors_and_a_session_of_its_own(rig: Rig, tty: bool) -> None:
    zone = await rig.start("sleep", "100")
    code, text = await rig.ask(zone, "cat", "/proc/self/stat", tty=tty)
    pid, _, _, _, group, session = text.split()[:6]
    assert (code, group, session) == (0, pid, pid)
    code, text = await rig.ask(zone, "busybox", "ls", "/proc/self/fd", tty=tty)
    assert (code, text.split()) == (0, ["0", "1", "2", "3"]), "3 is the folder that ls reads"


async def test_a_broken_pipe_ends_it(rig: Rig) -> None:
    zone = await rig.start("sleep", "100")
    bits = int((await _status(rig, zone))["SigIgn"], 16)
    assert not bits & 1 << (13 - 1), "SIGPIPE"


async def test_it_has_its_limits(rig: Rig) -> None:
    zone = await rig.start("sleep", "100")
    limits = (Ulimit(name="nofile", soft=77, hard=99),)
    assert await rig.ask(zone, "sh", "-c", "ulimit -Sn; ulimit -Hn", ulimits=limits) == (0, "77\n99\n")
    assert await rig.ask(zone, "cat", "/proc/self/oom_score_adj", oom_score_adj=123) == (0, "123\n")


async def test_it_sees_the_zone_and_nothing_else(rig: Rig) -> None:
    zone = await rig.start("sleep", "100")
    kinds = ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts")
    listed = await rig.ask(zone, "sh", "-c", "for k in " + " ".join(kinds) + "; do readlink /proc/self/ns/$k; done")
    first = await rig.ask(zone, "sh", "-c", "for k in " + " ".join(kinds) + "; do readlink /proc/1/ns/$k; done")
    assert listed == first
    assert not set(listed[1].split()) & {str(Path(f"/proc/self/ns/{kind}").readlink()) for kind in kinds}


async def test_a_directory_a_missing_folder_and_an_empty_name_are_refused(rig: Rig) -> None:
    zone = await rig.start("sleep", "100")
    for words, given, message in (
        (("/bin",), {}, 'exec: "/bin": permission denied'),
        (("",), {}, 'exec: "": executable file not found in $PATH'),
        (("/bin/busybox/x",), {}, 'exec: "/bin/busybox/x": not a directory'),
        (("true",), {"cwd": "/nope"}, 'chdir to cwd ("/nope") set in config.json failed: no such file or directory'),
    ):
        with pytest.raises(InvalidParameter) as caught:
            await rig.exec(zone, *words, **given)
        assert str(caught.value) == message


async def test_the_launchers_program_cannot_be_written_by_way_of_a_process(rig: Rig) -> None:
    zone = await rig.start("sleep", "100")
    assert await rig.ask(zone, "true") == (0, "")
    assert os.statvfs(f"/proc/{rig.forks.pid}/exe").f_flag & os.ST_RDONLY


async def test_a_signal_reaches_what_it_has_started(rig: Rig) -> None:
    zone = await rig.start("sleep", "100")
    running = await rig.exec(zone, "sh", "-c", "sleep 3599 & echo begun; wait")
    assert await running.streams.read()
    await running.kill(signal.SIGKILL)
    assert await running.wait() == 128 + signal.SIGKILL
    async with asyncio.timeout(30):
        await read_all(running.streams)  # they end with the last who has them
    await running.streams.close()
