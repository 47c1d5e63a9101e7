"""docker-compose 1.29 and Compose v2, unchanged: one project through all that Compose does with it."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.compose import Compose, address_of_port, version_one, version_two
from tests.integration.rig import Daemon

STACK = """
x-busybox: &busybox {image: busybox, stop_signal: KILL}
services:
  store:
    <<: *busybox
    command: sh -c 'echo stored >/data/index.html; httpd -f -p 80 -h /data'
    networks: {back: {aliases: [database]}}
    volumes: ["data:/data"]
    healthcheck: {test: [CMD, wget, -q, -O, /dev/null, "http://127.0.0.1/"], interval: 1s, retries: 30}
  web:
    <<: *busybox
    command: >
      sh -c 'wget -q -O /index.html http://database/ && cat /run/secrets/word >>/index.html; httpd -f -p 80 -h /'
    depends_on: {store: {condition: service_healthy}}
    healthcheck: {test: [CMD, wget, -q, -O, /dev/null, "http://127.0.0.1/"], interval: 1s, retries: 30}
    ports: ["127.0.0.1::80"]
    networks: [front, back]
    secrets: [word]
  worker:
    <<: *busybox
    init: true
    command: sh -c 'echo working; sleep 1000'
    depends_on: {web: {condition: service_healthy}}
    networks: [front]
  prepared:
    <<: *busybox
    command: sh -c 'echo prepared >>/data/done'
    volumes: ["data:/data"]
    network_mode: none
  late:
    <<: *busybox
    command: sh -c 'cat /data/done; sleep 1000'
    volumes: ["data:/data:ro"]
    depends_on: {prepared: {condition: service_completed_successfully}}
    profiles: [debug]
    networks: [front]
networks:
  front: {}
  back: {internal: true}
volumes:
  data: {}
secrets:
  word: {file: ./word}
"""

MORE = """
x-busybox: &busybox {image: busybox, stop_signal: KILL}
services:
  web:
    <<: *busybox
    command: sh -c 'cat /etc/greeting /etc/file /run/secrets/of-environment; sleep 1000'
    configs: [{source: greeting, target: /etc/greeting}, {source: file, target: /etc/file, mode: 0440}]
    secrets: [of-environment]
    extra_hosts: ["host.docker.internal:host-gateway", "printer:10.9.9.9"]
    networks:
      fixed: {ipv4_address: 10.233.7.9, mac_address: "02:00:00:00:07:09"}
      other: {}
    sysctls: {net.core.somaxconn: 77}
    deploy: {resources: {limits: {memory: 64M, pids: 20}}, replicas: 1}
  none:
    <<: *busybox
    command: sh -c 'exit 7'
    network_mode: none
networks:
  fixed:
    driver_opts: {com.docker.network.bridge.name: zh-compose}
    ipam: {config: [{subnet: 10.233.7.0/24, gateway: 10.233.7.254, ip_range: 10.233.7.128/25}]}
  other: {enable_ipv6: true}
configs:
  greeting: {content: "greetings\\n"}
  file: {file: ./file}
secrets:
  of-environment: {environment: WORD}
"""


@pytest.fixture(params=[version_one, version_two], ids=["1.29", "v2"])
def compose(request: pytest.FixtureRequest, daemon: Daemon, tmp_path: Path) -> Compose:
    find: Callable[[Daemon, Path], Compose] = request.param
    return find(daemon, tmp_path)


def page(compose: Compose) -> str:
    """What the published port of `web` answers."""
    with urllib.request.urlopen(f"http://{address_of_port(compose, 'web', 80)}/", timeout=30) as answer:
        return str(answer.read().decode())


def nothing_is_left(compose: Compose) -> None:
    for kind in ("container", "network", "volume"):
        words = ("ls", "--quiet", *(("--all",) if kind == "container" else ()))
        label = f"label=com.docker.compose.project={compose.project}"
        assert compose.daemon.docker(kind, *words, "--filter", label) == ""


def test_a_project_from_up_to_down(compose: Compose) -> None:
    compose.write("docker-compose.yml", STACK)
    compose.write("word", "secret\n")
    docker = compose.daemon.docker
    compose("up", "--detach")
    # `worker` waits until `web` is healthy, which waits for `store`: so the page is there.
    assert page(compose) == "stored\nsecret\n"
    compose("up", "--detach", "--scale", "worker=3")
    found = compose("exec", "-T", "web", "nslookup", "worker", "127.0.0.11")
    addresses = {line.split()[-1] for line in found.splitlines() if line.startswith("Address") and ":53" not in line}
    assert len(addresses) == 3
    # What is in the internal network only has no way out, and the front does not know it.
    assert "default" not in docker("exec", compose.container("store"), "ip", "route")
    assert compose.daemon.run("exec", compose.container("worker"), "nslookup", "database", "127.0.0.11").status != 0
    with compose.following("logs", "--follow", "worker") as lines:
        assert any("working" in line for line in lines)
        docker("exec", compose.container("worker", 2), "sh", "-c", "echo later >/proc/1/fd/1")
        assert any("later" in line for line in lines)
    compose("restart", "web")
    docker("exec", compose.container("web"), "sh", "-c", "while ! wget -q -O /dev/null http://127.0.0.1/; do :; done")
    assert page(compose) == "stored\nsecret\n"
    compose("up", "--detach", "--force-recreate", "store")
    assert "stored" in compose("run", "--rm", "web", "wget", "-q", "-O", "-", "http://store/")
    assert compose.daemon.run("inspect", compose.container("late")).status != 0
    compose("--profile", "debug", "up", "--detach", "late")
    with compose.following("logs", "--follow", "late") as lines:
        assert any("prepared" in line for line in lines)
    compose("--profile", "debug", "down", "--volumes")
    nothing_is_left(compose)


def test_configs_secrets_addresses_and_ends(daemon: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compose = version_two(daemon, tmp_path)
    compose.write("compose.yaml", MORE)
    compose.write("file", "of a file\n")
    monkeypatch.setitem(daemon.environment, "WORD", "of the environment\n")
    with compose.following("events", "--json") as events:
        compose("up", "--detach", "--wait", "web")
        told = [json.loads(next(events)) for _ in range(2)]
    assert [event["action"] for event in told] == ["create", "extract-to-dir"]
    with compose.following("logs", "--follow", "--no-log-prefix", "web") as lines:
        assert [next(lines) for _ in range(3)] == ["greetings\n", "of a file\n", "of the environment\n"]
    inside = compose(
        "exec", "-T", "web", "sh", "-c", "ip -o addr; ip route; cat /etc/hosts /proc/sys/net/core/somaxconn"
    )
    assert "inet 10.233.7.9/24" in inside
    assert "default via 10.233.7.254 dev eth0" in inside
    assert "eth1    inet6 fd" in inside
    assert "10.9.9.9\tprinter" in inside
    assert "\thost.docker.internal" in inside
    assert inside.endswith("\n77\n")
    state = json.loads(compose("ps", "--format", "json", "web"))
    assert (state["State"], state["Service"]) == ("running", "web")
    compose.write("file", "changed\n")
    compose("cp", "file", "web:/copied")
    assert compose("exec", "-T", "web", "cat", "/copied") == "changed\n"
    assert compose.run("up", "--exit-code-from", "none", "none").returncode == 7
    compose("kill", "web")
    compose("up", "--detach")
    compose("down", "--volumes", "--timeout", "0")
    nothing_is_left(compose)
