"""An upgrade in place: this tree's daemon takes over the state and the running zones that an older one left.

The older trees are commits of this repository; where its history is not there, the test is skipped.
"""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.rig import COMMAND, Daemon

ROOT = Path(__file__).parents[2]
TREES = {
    "with one file of state, of schema 1": "a850e4d",
    "with the state kept twice": "365da28",
}
START = "import sys; from zonehost.cli.main import main; sys.argv[0] = 'zonehost'; sys.exit(main())"
SERVE = "echo page >/pages/index.html; exec httpd -f -p 80 -h /pages"
COUNT = "n=0; while sleep 0.02; do n=$((n + 1)); echo $n; done"


@pytest.fixture(params=TREES.values(), ids=list(TREES))
def older(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The command of an older zonehost."""
    archive = subprocess.run(["git", "archive", request.param, "src"], cwd=ROOT, capture_output=True)
    if archive.returncode != 0:
        pytest.skip(f"the history is not here: {archive.stderr.decode().strip()}")
    subprocess.run(["tar", "--extract", "--directory", tmp_path], input=archive.stdout, check=True)
    command = tmp_path / "zonehost"
    command.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path}/src exec {sys.executable} -c "{START}" "$@"\n')
    command.chmod(0o755)
    return command


@pytest.fixture
def own(older: Path) -> Iterator[Daemon]:
    """An instance whose first daemon is the older one."""
    daemon = Daemon.make()
    daemon.command = older
    try:
        daemon.start()
        daemon.zonehost("bootstrap", "busybox")
        yield daemon
    finally:
        daemon.command = COMMAND
        daemon.close()


def test_what_an_older_daemon_left_goes_on(own: Daemon) -> None:
    own.docker("network", "create", "net")
    own.docker("run", "-d", "--name", "count", "--network", "net", "busybox", "sh", "-c", COUNT)
    mounted = ("-p", "127.0.0.1::80", "-v", "pages:/pages")
    own.docker("run", "-d", "--name", "web", "--network", "net", *mounted, "busybox", "sh", "-c", SERVE)
    own.docker("run", "-d", "--name", "still", "busybox", "sleep", "3600")
    own.docker("pause", "still")
    own.docker("create", "--name", "made", "-m", "64m", "busybox", "sh", "-c", "exit 3")
    names = ("count", "web", "still", "made")
    questions = (("inspect", *names), ("network", "inspect", "net"), ("volume", "inspect", "pages"), ("port", "web"))
    before = [own.docker(*question) for question in questions]
    own.docker("exec", "-d", "web", "sleep", "3599")
    attached = subprocess.Popen(
        ["docker", "exec", "-i", "web", "cat"], env=own.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert attached.stdin is not None and attached.stdout is not None
    attached.stdin.write(b"on\n")
    attached.stdin.flush()
    assert attached.stdout.readline() == b"on\n"
    own.kill()
    own.command = COMMAND
    own.start()
    attached.communicate(timeout=20)
    assert attached.returncode != 0
    assert [own.docker(*question) for question in questions] == before
    assert own.docker("top", "web", "-o", "pid,args").count("sleep 3599") == 1
    assert own.doctor() == []
    with urllib.request.urlopen(f"http://{own.docker('port', 'web', '80')}/", timeout=10) as page:
        assert page.read() == b"page\n"
    own.docker("exec", "count", "ping", "-c", "1", "web")
    own.docker("unpause", "still")
    own.docker("start", "made")
    assert own.docker("wait", "made") == "3"
    own.docker("restart", "-t", "0", "web")
    own.docker("run", "--rm", "--network", "net", "busybox", "ping", "-c", "1", "web")
    own.docker("stop", "-t", "0", "count")
    lines = [int(line) for line in own.docker("logs", "count").splitlines()]
    assert lines == list(range(1, len(lines) + 1))
