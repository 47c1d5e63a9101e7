"""The daemon goes and comes back: zones keep processes, ports and logs, and what ended meanwhile is told rightly."""

from __future__ import annotations

import os
import select
import subprocess
import urllib.request
from collections.abc import Callable

import pytest

from tests.integration.rig import Daemon

MakeDaemon = Callable[..., Daemon]


@pytest.fixture
def own(new_daemon: MakeDaemon) -> Daemon:
    daemon = new_daemon()
    daemon.zonehost("bootstrap", "busybox")
    return daemon


def _wait_for_end(pid: int) -> None:
    """Until the process is gone: a pidfd becomes readable then (pidfd_open(2))."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([fd], [], [], 30)[0], f"process {pid} did not end"
    finally:
        os.close(fd)


def _wait_for_event(daemon: Daemon, name: str, action: str) -> None:
    """Until the daemon, since it is up, has told of it."""
    filters = ("--filter", f"container={name}", "--filter", f"event={action}")
    with subprocess.Popen(
        ["docker", "events", "--since", "1", *filters], stdout=subprocess.PIPE, env=daemon.environment
    ) as listener:
        assert listener.stdout is not None
        assert listener.stdout.readline()
        listener.kill()


def _touch(pid: int, path: str) -> None:
    """Make a file in a zone: the pool is mounted for the daemon and its zones only."""
    inside = ["nsenter", "--target", str(pid), "--user", "--mount", "--setuid", "0", "--setgid", "0"]
    subprocess.run([*inside, "/bin/touch", path], check=True, timeout=60)


def _pid(daemon: Daemon, name: str) -> int:
    return int(daemon.docker("inspect", "-f", "{{.State.Pid}}", name))


@pytest.mark.parametrize("end", [Daemon.stop, Daemon.kill], ids=["stopped", "killed"])
def test_a_zone_does_not_notice(own: Daemon, end: Callable[[Daemon], object]) -> None:
    serve = "echo page >index.html; httpd -p 80; n=0; while :; do n=$((n + 1)); echo $n; sleep 0.05; done"
    own.docker("run", "-d", "--name", "busy", "-w", "/tmp", "-p", "127.0.0.1::80", "busybox", "sh", "-c", serve)
    pid, address = _pid(own, "busy"), own.docker("port", "busy", "80")
    end(own)
    with urllib.request.urlopen(f"http://{address}/", timeout=10) as page:
        assert page.read() == b"page\n"
    own.start()
    assert _pid(own, "busy") == pid
    assert own.docker("port", "busy", "80") == address
    assert own.docker("exec", "busy", "echo", "inside") == "inside"
    own.docker("stop", "-t", "0", "busy")
    lines = [int(line) for line in own.docker("logs", "busy").splitlines()]
    assert lines == list(range(1, len(lines) + 1))


def test_an_exit_while_the_daemon_is_down_is_told_rightly(own: Daemon) -> None:
    wait = "while [ ! -e /go/now ]; do sleep 0.05; done; echo late; exit 7"
    own.docker("run", "-d", "--name", "ends", "-v", "go:/go", "busybox", "sh", "-c", wait)
    own.docker("run", "-d", "--rm", "--name", "vanishes", "-v", "go:/go", "busybox", "sh", "-c", wait)
    own.docker("run", "-d", "--restart", "always", "--name", "returns", "-v", "go:/go", "busybox", "sh", "-c", wait)
    began = own.docker("inspect", "-f", "{{.State.StartedAt}}", "returns")
    pids = [_pid(own, name) for name in ("ends", "vanishes", "returns")]
    own.kill()
    _touch(pids[0], "/go/now")
    for pid in pids:
        _wait_for_end(pid)
    own.start()
    assert own.docker("wait", "ends") == "7"
    assert own.docker("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "ends") == "exited 7"
    assert own.docker("logs", "ends") == "late"
    assert "vanishes" not in own.docker("ps", "-a", "--format", "{{.Names}}").split()
    _wait_for_event(own, "returns", "start")
    assert own.docker("inspect", "-f", "{{.State.StartedAt}}", "returns") != began


def test_a_zone_that_ran_out_of_memory_while_the_daemon_was_down_says_so(own: Daemon) -> None:
    script = "while [ ! -e /go/now ]; do sleep 0.05; done; text=a; while :; do text=$text$text; done"
    own.docker("run", "-d", "--name", "grows", "-m", "24m", "-v", "go:/go", "busybox", "sh", "-c", script)
    pid = _pid(own, "grows")
    own.kill()
    _touch(pid, "/go/now")
    _wait_for_end(pid)
    own.start()
    assert own.docker("wait", "grows") == "137"
    assert own.docker("inspect", "-f", "{{.State.Status}} {{.State.OOMKilled}}", "grows") == "exited true"


def test_health_is_known_and_checked_on(own: Daemon) -> None:
    check = ("--health-cmd", "test -e /fine", "--health-interval", "1s", "--health-retries", "1")
    own.docker("run", "-d", "--name", "checked", *check, "busybox", "sh", "-c", "touch /fine; exec sleep 3600")
    _wait_for_event(own, "checked", "health_status: healthy")
    own.kill()
    own.start()
    assert own.docker("inspect", "-f", "{{.State.Health.Status}}", "checked") == "healthy"
    own.docker("exec", "checked", "rm", "/fine")
    _wait_for_event(own, "checked", "health_status: unhealthy")


def test_a_check_under_way_ends_with_the_daemon(own: Daemon) -> None:
    check = ("--health-cmd", "touch /begun; sleep 3599; true", "--health-interval", "1s", "--health-timeout", "1h")
    own.docker("run", "-d", "--name", "checked", *check, "busybox", "sleep", "3600")
    own.docker("exec", "checked", "sh", "-c", "until ps -o args | grep -q '^sleep 3599'; do sleep 0.05; done")
    processes = [line.split(maxsplit=1) for line in own.docker("top", "checked", "-o", "pid,args").splitlines()]
    (under_way,) = (int(pid) for pid, args in processes if args == "sleep 3599")
    own.kill()
    own.start()
    _wait_for_end(under_way)


def test_a_policy_counts_on_across_restarts_of_the_daemon(own: Daemon) -> None:
    own.docker("run", "-d", "--name", "fails", "--restart", "on-failure:3", "busybox", "false")
    own.kill()
    own.start()
    while own.docker("inspect", "-f", "{{.State.Status}}", "fails") != "exited":
        own.docker("wait", "fails")
    assert own.docker("inspect", "-f", "{{.RestartCount}} {{.State.ExitCode}}", "fails") == "3 1"


def test_images_volumes_and_settings_survive(own: Daemon) -> None:
    own.docker("volume", "create", "--label", "a=b", "kept")
    own.docker("create", "--name", "made", "--label", "c=d", "-m", "32m", "-v", "kept:/kept", "busybox", "true")
    questions = (
        ("inspect", "made"),
        ("inspect", "busybox"),
        ("volume", "inspect", "kept"),
        ("network", "inspect", "bridge"),
    )
    before = [own.docker(*question) for question in questions]
    own.kill()
    own.start()
    assert [own.docker(*question) for question in questions] == before
    own.docker("start", "made")
    assert own.docker("wait", "made") == "0"
