"""Zones from birth to removal, and what happens to them when someone is killed."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from tests.conformance.runtime.rig import Rig
from zonehost.domain.blueprint import Namespaces
from zonehost.drivers.runtime.driver import MACHINE
from zonehost.errors import Conflict, InvalidParameter
from zonehost.linux import idmap
from zonehost.linux.cgroup import discover
from zonehost.linux.cgroup_events import until
from zonehost.ports.runtime import Survey


@pytest.mark.parametrize(("command", "code"), [("true", 0), ("false", 1), ("exit 255", 255), ("exit 42", 42)])
async def test_the_exit_code_is_the_commands(rig: Rig, command: str, code: int) -> None:
    assert await rig.run("sh", "-c", command) == (code, "")


async def test_a_signal_that_ends_a_zone_is_128_and_its_number(rig: Rig) -> None:
    zone = await rig.start("sleep", "100")
    await rig.runtime.kill(zone, signal.SIGKILL)
    ended = await rig.next_exit()
    assert (ended.zone, ended.code, ended.lost) == (zone, 137, False)


async def test_root_inside_is_nobody_outside_and_owns_its_files(rig: Rig) -> None:
    zone = await rig.start("sh", "-c", "touch /made; sleep 100")
    assert (await rig.ask(zone, "stat", "-c", "%u:%g", "/made", "/bin/busybox"))[1] == "0:0\n0:0\n"
    survey = await rig.another_runtime().survey()
    (running,) = survey.running
    assert Path(f"/proc/{running.pid}").stat().st_uid == running.first_id >= idmap.FIRST
    made = rig.folder / "zones" / zone / "root/upper/made"
    assert (made.stat().st_uid, made.stat().st_gid) == (0, 0)


async def test_zones_have_different_ids(rig: Rig) -> None:
    first = await rig.runtime.create(rig.blueprint("true"))
    second = await rig.runtime.create(rig.blueprint("true"))
    assert abs(first.first_id - second.first_id) >= idmap.COUNT


async def test_a_user_and_its_groups_come_from_the_image(rig: Rig) -> None:
    assert (await rig.run("id", user="ann"))[1] == "uid=1000(ann) gid=1000(ann) groups=10(wheel),1000(ann)\n"
    assert (await rig.run("id", user="7:ann", groups=("10",)))[1] == "uid=7 gid=1000(ann) groups=10(wheel),1000(ann)\n"


async def test_a_missing_working_directory_is_made(rig: Rig) -> None:
    assert (await rig.run("sh", "-c", "pwd; stat -c %u .", cwd="/srv/www/here"))[1] == "/srv/www/here\n0\n"


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("nope", 'exec: "nope": executable file not found in $PATH'),
        ("/nope", 'exec: "/nope": stat /nope: no such file or directory'),
        ("/etc/passwd-not-executable", 'exec: "/etc/passwd-not-executable": permission denied'),
    ],
)
async def test_a_program_that_cannot_run_fails_in_dockers_words_and_leaves_nothing(
    rig: Rig, program: str, message: str
) -> None:
    with pytest.raises(InvalidParameter) as raised:
        await rig.run(program)
    assert str(raised.value) == message
    assert rig.groups() == rig.folders() == []


async def test_an_unknown_user_fails_in_dockers_words(rig: Rig) -> None:
    with pytest.raises(InvalidParameter, match="unable to find user bob: no matching entries in passwd file"):
        await rig.run("true", user="bob")
    assert rig.groups() == rig.folders() == []


async def test_the_network_is_plumbed_before_the_zone_is_born(rig: Rig) -> None:
    seen: list[str] = []

    async def plumb(netns: int) -> None:
        seen.append(str(Path(f"/proc/self/fd/{netns}").readlink()))

    blueprint = rig.blueprint("sleep", "100")
    born = await rig.runtime.create(blueprint, plumb)
    assert seen == [str(Path(f"/proc/{born.pid}/ns/net").readlink())]


async def test_a_network_that_fails_fails_the_birth_and_leaves_nothing(rig: Rig) -> None:
    async def plumb(_: int) -> None:
        raise Conflict("no address left")

    with pytest.raises(Conflict, match="no address left"):
        await rig.runtime.create(rig.blueprint("true"), plumb)
    assert rig.groups() == rig.folders() == []


async def test_a_keeper_that_a_dead_daemon_left_in_the_zones_own_group_is_moved(rig: Rig) -> None:
    zone = await rig.start("sleep", "100")
    await rig.runtime.sample(zone)  # which waits until it has been moved
    keeper = (await rig.another_runtime().survey()).running[0].keeper
    group = Path(discover().unified, "zonehost", rig.name, zone)
    (group / "zone/cgroup.procs").write_text(str(keeper))
    another = rig.another_runtime()
    await another.survey()
    await another.sample(zone)
    assert (group / "keeper/cgroup.procs").read_text().split() == [str(keeper)]


async def test_a_keeper_leaves_the_zones_own_group_by_itself(rig: Rig) -> None:
    blueprint = rig.blueprint("sleep", "100")
    keeper = (await rig.runtime.create(blueprint)).keeper
    group = Path(discover().unified, "zonehost", rig.name, blueprint.id)
    await asyncio.wait_for(until(str(group / "keeper"), "populated", 1), 10)
    assert (group / "keeper/cgroup.procs").read_text().split() == [str(keeper)]


async def test_a_zone_that_shares_the_hosts_pids_is_removed_with_all_its_processes(rig: Rig) -> None:
    zone = await rig.start("sh", "-c", "sleep 100 & sleep 200", namespaces=Namespaces(pid="host"))
    await rig.runtime.remove(zone)
    assert (await rig.next_exit()).code == 137
    assert rig.groups() == rig.folders() == []


async def test_how_a_zone_ended_can_be_found_until_it_is_noted(rig: Rig) -> None:
    zone = await rig.start("sh", "-c", "exit 42")
    await rig.next_exit()
    noted = asyncio.get_running_loop().create_future()
    removing = asyncio.create_task(rig.runtime.remove(zone, noted))
    done, _ = await asyncio.wait([removing], timeout=0.5)  # what would be too early has happened by then
    assert not done
    assert [(ended.zone, ended.code) for ended in (await rig.another_runtime().survey()).ended] == [(zone, 42)]
    noted.set_result(None)
    await removing
    assert rig.groups() == rig.folders() == []


async def test_removing_a_running_zone_leaves_nothing(rig: Rig) -> None:
    zone = await rig.start("sh", "-c", "sleep 100 & sleep 200")
    survey = await rig.another_runtime().survey()
    pids = {survey.running[0].pid, survey.running[0].keeper}
    await rig.runtime.remove(zone)
    assert (await rig.next_exit()).code == 137
    assert rig.groups() == rig.folders() == []
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    assert rig.name not in Path("/proc/self/mountinfo").read_text()
    await rig.runtime.remove(zone)  # it is idempotent


async def test_pausing_stops_every_process_and_resuming_lets_them_go_on(rig: Rig) -> None:
    zone = await rig.start("sleep", "100")
    await rig.runtime.pause(zone)
    await rig.runtime.pause(zone)
    with pytest.raises(Conflict, match="is paused"):
        await rig.exec(zone, "true")
    await rig.runtime.resume(zone)
    assert await rig.ask(zone, "true") == (0, "")


async def test_a_paused_zone_can_be_killed(rig: Rig) -> None:
    zone = await rig.start("sleep", "100")
    await rig.runtime.pause(zone)
    await rig.runtime.remove(zone)
    assert rig.groups() == []


async def test_top_shows_the_zones_processes_with_their_users(rig: Rig) -> None:
    zone = await rig.start("sleep", "100")
    table = await rig.runtime.top(zone, "-ef")
    assert table.titles == ("UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD")
    assert [(row[0], row[-1]) for row in table.rows] == [("root", "sleep 100")]
    for words, titles in (("-eo pid,comm", ("PID", "COMMAND")), ("axo pid,comm", ("PID", "COMMAND"))):
        again = await rig.runtime.top(zone, words)
        assert (again.titles, again.rows) == (titles, ((table.rows[0][1], "sleep"),))
    with pytest.raises(InvalidParameter, match="is not allowed"):
        await rig.runtime.top(zone, "-o uid=PID")


async def test_a_sample_counts(rig: Rig) -> None:
    zone = await rig.start("sh", "-c", "while :; do :; done")
    first = await rig.runtime.sample(zone)
    await asyncio.sleep(0.2)
    second = await rig.runtime.sample(zone)
    assert second.cpu_total > first.cpu_total > 0
    assert second.host_cpu_total > first.host_cpu_total
    assert second.pids == 1


async def test_zones_share_the_namespaces_of_one(rig: Rig) -> None:
    first = await rig.start("sleep", "100", namespaces=Namespaces(ipc="shareable"))
    await rig.ask(first, "sh", "-c", "echo shared > /dev/shm/note")
    joined = Namespaces(net=first, pid=first, ipc=first)
    code, output = await rig.run("sh", "-c", "cat /dev/shm/note; ps | cat", namespaces=joined)
    assert code == 0
    assert "shared" in output
    assert "sleep 100" in output


async def test_the_ids_of_a_joined_zone_stay_taken_when_it_ends(rig: Rig) -> None:
    first = await rig.start("sleep", "100")
    second = rig.blueprint("sleep", "100", namespaces=Namespaces(net=first))
    born = await rig.runtime.create(second)
    await rig.runtime.remove(first)
    number = (born.first_id - idmap.FIRST) // idmap.COUNT
    taken = idmap.lease(f"{MACHINE}/ids", start=number)
    assert taken.first != born.first_id
    os.close(taken.fd)


async def test_a_new_daemon_takes_over_running_zones(rig: Rig) -> None:
    zone = await rig.start("sleep", "100")
    await rig.runtime.close()
    runtime = rig.another_runtime()
    survey = await runtime.survey()
    assert [running.zone for running in survey.running] == [zone]
    assert not survey.remains
    await runtime.kill(zone, signal.SIGKILL)
    ended = await anext(runtime.exits())
    assert (ended.zone, ended.code, ended.lost) == (zone, 137, False)
    await runtime.remove(zone)


async def test_a_new_daemon_learns_of_what_ended_meanwhile(rig: Rig) -> None:
    zone = await rig.start("sh", "-c", "exit 9")
    await rig.next_exit()
    survey = await rig.another_runtime().survey()
    assert [(ended.zone, ended.code) for ended in survey.ended] == [(zone, 9)]
    assert survey.remains == {zone}


async def test_a_zone_at_the_gate_is_a_remainder_to_a_new_daemon(rig: Rig) -> None:
    blueprint = rig.blueprint("true")
    await rig.runtime.create(blueprint)
    runtime = rig.another_runtime()
    survey = await runtime.survey()
    assert survey == Survey((), (), frozenset({blueprint.id}))
    await runtime.remove(blueprint.id)
    assert rig.groups() == rig.folders() == []


async def test_a_zone_whose_keeper_is_killed_ends_and_is_reported_lost(rig: Rig) -> None:
    blueprint = rig.blueprint("sleep", "100")
    born = await rig.runtime.create(blueprint)
    await rig.runtime.start(blueprint.id)
    first = os.pidfd_open(born.pid)
    os.kill(born.keeper, signal.SIGKILL)
    ended = await rig.next_exit()
    assert (ended.zone, ended.code, ended.lost) == (blueprint.id, 137, True)
    await rig.runtime.remove(blueprint.id)
    with pytest.raises(ProcessLookupError):
        signal.pidfd_send_signal(first, 0)
    os.close(first)
    assert rig.groups() == rig.folders() == []


async def test_zones_outlive_a_killed_launcher(rig: Rig) -> None:
    zone = await rig.start("sleep", "100")
    killed = rig.forks.pid
    os.kill(killed, signal.SIGKILL)
    while rig.forks.pid in (killed, 0):  # noqa: ASYNC110 - the kernel tells the fork server's client, not us
        await asyncio.sleep(0.01)
    assert await rig.ask(zone, "true") == (0, "")
    await rig.runtime.kill(zone, signal.SIGKILL)
    ended = await rig.next_exit()
    assert (ended.code, ended.lost) == (137, False)
