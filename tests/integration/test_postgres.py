"""A real service: PostgreSQL from Debian's packages, as its own user, through `docker exec` and from the host."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest

from tests.integration.rig import Daemon

IMAGE = "postgres-test:1"
SERVER = """
set -e
PATH=$PATH:$(echo /usr/lib/postgresql/*/bin)
[ -s $PGDATA/PG_VERSION ] || {
    initdb --auth=scram-sha-256 --username=postgres --pwfile=/dev/fd/3 3<<END
secret
END
    echo 'host all all all scram-sha-256' >>$PGDATA/pg_hba.conf
}
exec postgres -c listen_addresses='*' -c unix_socket_directories=/tmp
"""


@pytest.fixture(scope="module")
def image(shared_daemon: Daemon) -> Iterator[str]:
    shared_daemon.zonehost("bootstrap", "debian:bookworm", "--include", "postgresql", "--tag", IMAGE)
    yield IMAGE
    shared_daemon.docker("rmi", "--force", IMAGE)


def _answer(daemon: Daemon, *words: str) -> str:
    return daemon.docker("exec", "db", "psql", "-h", "/tmp", "-U", "postgres", "-tAc", *words)


def _wait_until_it_serves(daemon: Daemon, starts: int) -> None:
    """PostgreSQL says so in its log, once a start; `docker logs --follow` is read up to there."""
    with subprocess.Popen(
        ["docker", "logs", "--follow", "db"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=daemon.environment,
    ) as follower:
        assert follower.stdout is not None
        for line in follower.stdout:
            starts -= "database system is ready to accept connections" in line
            if starts == 0:
                follower.kill()
                return
    pytest.fail(f"PostgreSQL did not start:\n{daemon.docker('logs', 'db')}")


def _from_host(daemon: Daemon, query: str) -> str:
    address, _, port = daemon.docker("port", "db", "5432/tcp").splitlines()[0].rpartition(":")
    return subprocess.run(
        ["psql", "-h", address, "-p", port, "-U", "postgres", "-tAc", query],
        env={**os.environ, "PGPASSWORD": "secret"},
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout.strip()


@pytest.mark.timeout(900)
@pytest.mark.xdist_group("postgres")
def test_postgres_serves_inside_and_outside_and_keeps_its_data(daemon: Daemon, image: str) -> None:
    daemon.docker(
        *("run", "-d", "--name", "db", "--user", "postgres", "-p", "127.0.0.1::5432"),
        *("-e", "PGDATA=/var/lib/postgresql/data", "-e", "PGPASSWORD=secret", "--shm-size", "128m"),
        *("-v", "pgdata:/var/lib/postgresql", image, "sh", "-c", SERVER),
    )
    _wait_until_it_serves(daemon, starts=1)
    assert daemon.docker("exec", "db", "id", "-un") == "postgres"
    _answer(daemon, "create table kept (n int); insert into kept select generate_series(1, 1000)")
    assert _answer(daemon, "select sum(n) from kept") == "500500"
    assert _from_host(daemon, "select count(*) from kept") == "1000"
    daemon.docker("restart", "db")
    _wait_until_it_serves(daemon, starts=2)
    assert _from_host(daemon, "select sum(n) from kept") == "500500"
    assert daemon.docker("inspect", "-f", "{{.RestartCount}}", "db") == "0"
