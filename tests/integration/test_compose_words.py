"""Compose v2: what its files and commands can say beyond the usual, as projects in the world use it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.compose import Compose, version_two
from tests.integration.rig import Daemon
from tests.integration.test_compose import nothing_is_left

BASE = """
services:
  base:
    image: busybox
    stop_signal: KILL
    command: sleep 1000
    environment: {FROM: base, WHO: nobody}
"""

INCLUDED = """
services:
  included:
    extends: {file: base.yaml, service: base}
    environment: {WHO: included}
"""

LIMITS = """
include: [included.yaml]
services:
  web:
    extends: {file: base.yaml, service: base}
    command: sh -c 'echo begun; trap "" TERM; sleep 1000 & wait'
    init: true
    stop_grace_period: 1s
    stop_signal: TERM
    ulimits: {nofile: {soft: 100, hard: 200}, nproc: 50}
    sysctls: {net.ipv4.ip_unprivileged_port_start: 1000}
    tmpfs: ["/scratch:size=1m,mode=1770"]
    cap_drop: [ALL]
    cap_add: [NET_ADMIN]
    read_only: true
    volumes: ["./kept:/kept"]
    logging: {driver: json-file, options: {max-size: 1m, max-file: "2"}}
    healthcheck:
      {test: [CMD, "true"], interval: 1h, start_period: 60s, start_interval: 200ms, timeout: 30s}
    post_start: [{command: sh -c 'echo started >/scratch/hook'}]
    pre_stop: [{command: sh -c 'echo stopping >/kept/hook'}]
    ports: ["127.0.0.1::80"]
    networks: {fixed: {gw_priority: 1}, both: {}}
  beside:
    image: busybox
    stop_signal: KILL
    command: httpd -f -p 80
    network_mode: service:web
    depends_on: {web: {condition: service_healthy, restart: true}}
  many:
    image: busybox
    stop_signal: KILL
    command: sleep 1000
    deploy: {replicas: 2}
    networks: [both]
  hidden:
    image: busybox
    profiles: [tools]
    command: sh -c 'echo hidden'
networks:
  fixed:
    ipam: {config: [{subnet: 10.234.6.0/29, gateway: 10.234.6.1, aux_addresses: {printer: 10.234.6.2}}]}
  both: {enable_ipv6: true, ipam: {config: [{subnet: 10.234.5.0/24}, {subnet: "fd00:234:5::/64"}]}}
"""

WATCHED = """
services:
  web:
    build: .
    stop_signal: KILL
    command: httpd -f -p 80 -h /www
    develop:
      watch: [{action: sync, path: ./page, target: /www/page}]
"""


@pytest.fixture
def compose(daemon: Daemon, tmp_path: Path) -> Compose:
    return version_two(daemon, tmp_path)


def test_what_a_file_says_holds_inside(compose: Compose) -> None:
    for name, text in (("base.yaml", BASE), ("included.yaml", INCLUDED), ("compose.yaml", LIMITS)):
        compose.write(name, text)
    docker = compose.daemon.docker
    compose("up", "--detach", "--wait")
    assert {row["Name"] for row in json.loads(compose("ls", "--format", "json"))} >= {compose.project}

    def inside(service: str, script: str) -> list[str]:
        return compose("exec", "-T", service, "sh", "-c", script).splitlines()

    assert inside("included", "echo $FROM $WHO") == ["base included"]
    assert inside("web", "ulimit -n; ulimit -Hn; cat /proc/sys/net/ipv4/ip_unprivileged_port_start") == [
        "100",
        "200",
        "1000",
    ]
    assert inside("web", "cat /scratch/hook; stat -c %a /scratch; touch /nowhere 2>&1; cat /proc/1/comm") == [
        "started",
        "1770",
        "touch: /nowhere: Read-only file system",
        "docker-init",
    ]
    assert inside("web", "grep CapBnd /proc/self/status; ip route | grep default") == [
        "CapBnd:\t0000000000001000",
        "default via 10.234.6.1 dev eth1 ",
    ]
    assert "10.234.6.3" in inside("web", "ip -o -4 addr show eth1")[0]
    assert "fd00:234:5::" in inside("web", "ip -o -6 addr show scope global")[0]
    assert docker("inspect", "-f", "{{json .HostConfig.LogConfig}}", compose.container("web")) == (
        '{"Type":"json-file","Config":{"max-file":"2","max-size":"1m"}}'
    )
    # What joined the network of `web` answers on its published port.
    port = compose("port", "web", "80").strip()
    assert "404" in compose.daemon.run("run", "--rm", "--network", "host", "busybox", "wget", f"http://{port}/").err
    assert compose.daemon.run("inspect", compose.container("hidden")).status != 0
    assert compose("--profile", "tools", "run", "--rm", "hidden") == "hidden\n"
    compose("up", "--detach", "--scale", "many=3", "many")
    assert len(compose("ps", "--quiet", "many").split()) == 3
    compose("up", "--detach", "many")
    assert len(compose("ps", "--quiet", "many").split()) == 2
    assert "sleep 1000" in compose("top", "many")
    compose("pause", "many")
    assert len(compose("ps", "--quiet", "--status", "paused").split()) == 2
    compose("unpause", "many")
    compose.write("file", "copied\n")
    compose("cp", "file", "web:/scratch/file")
    assert inside("web", "cat /scratch/file") == ["copied"]
    before = docker("inspect", "-f", "{{.State.StartedAt}}", compose.container("beside"))
    compose("restart", "web")
    assert docker("inspect", "-f", "{{.State.StartedAt}}", compose.container("beside")) != before
    # With the name of the project alone, Compose does not read the file, and knows of no `pre_stop`.
    compose("--file", "compose.yaml", "stop", "web")
    assert (compose.folder / "kept" / "hook").read_text() == "stopping\n"
    assert compose("logs", "--no-log-prefix", "web").splitlines() == ["begun", "begun"]
    assert docker("inspect", "-f", "{{.State.ExitCode}}", compose.container("web")) == "137"
    compose("down", "--volumes", "--remove-orphans", "--timeout", "0")
    nothing_is_left(compose)


def test_a_file_that_changes_is_brought_inside_while_it_is_watched(compose: Compose) -> None:
    compose.write("compose.yaml", WATCHED)
    compose.write("Dockerfile", "FROM busybox\nCOPY page /www/page\n")
    compose.write("page", "one\n")
    with compose.following("watch") as lines:
        assert any("Watch enabled" in line for line in lines)
        compose.write("page", "two\n")
        assert any("Syncing" in line for line in lines)
        ask = 'while [ "$(wget -q -O - http://127.0.0.1/page)" != two ]; do :; done'
        compose("exec", "-T", "web", "sh", "-c", ask)
    compose("down", "--rmi", "local", "--timeout", "0")
    nothing_is_left(compose)
