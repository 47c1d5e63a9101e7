"""What the wire tests do not reach: moments, older kernels, and the list that is kept encoded."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from tests.fakes.runtime import SAMPLE
from zonehost.api.shape.container_list import ContainerList, entry
from zonehost.api.shape.endpoints import port_list, port_map
from zonehost.api.shape.stats import frame
from zonehost.api.shape.times import ZERO, rfc3339, rfc3339_fixed
from zonehost.api.version import MAXIMUM, Version
from zonehost.domain.config import Config
from zonehost.domain.container import Container, State, Status
from zonehost.domain.host_config import HostConfig
from zonehost.domain.network import Endpoint, PublishedPort
from zonehost.engine.container.listing import Listed
from zonehost.engine.container.stats import Frame

SECOND = 1_000_000_000
CONTAINER = Container(
    id="a" * 64,
    name="one",
    created=SECOND,
    image="sha256:" + "b" * 64,
    layers=(),
    config=Config(image="busybox", exposed_ports={"80/tcp": {}}, labels={"a": "b"}),
    host_config=HostConfig(network_mode="net", annotations={"x": "y"}),
    path="sleep",
    args=("1 2", "3"),
    endpoints={"net": Endpoint(network="n" * 64, id="e" * 64, ipv4="10.0.0.2", ipv4_prefix=24, aliases=("alias",))},
    state=State(status=Status.RUNNING, pid=7),
)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (0, ZERO),
        (SECOND, "1970-01-01T00:00:01Z"),
        (1_700_000_000 * SECOND + 120_000_000, "2023-11-14T22:13:20.12Z"),
        (1_700_000_000 * SECOND + 1, "2023-11-14T22:13:20.000000001Z"),
    ],
)
def test_moments_are_printed_as_go_prints_them(moment: int, text: str) -> None:
    assert rfc3339(moment) == text


def test_log_lines_have_all_nine_digits() -> None:
    assert rfc3339_fixed(1_700_000_000 * SECOND) == "2023-11-14T22:13:20.000000000Z"


def test_exposed_ports_are_shown_one_by_one() -> None:
    """Clients such as Compose leave the protocol out, and may ask for a range."""
    asked: dict[str, dict[str, Any]] = {"80": {}, "80/tcp": {}, "8000-8001/udp": {}}
    published = PublishedPort(port=80, protocol="tcp", host_ip="0.0.0.0", host_port=8080)
    container = msgspec.structs.replace(
        CONTAINER,
        config=Config(exposed_ports=asked),
        state=State(status=Status.RUNNING, pid=7, ports=(published,)),
    )
    bound = [{"HostIp": "0.0.0.0", "HostPort": "8080"}]
    assert port_map(container) == {"80/tcp": bound, "8000/udp": None, "8001/udp": None}
    assert port_list(container) == [
        {"IP": "0.0.0.0", "PrivatePort": 80, "Type": "tcp", "PublicPort": 8080},
        {"PrivatePort": 8000, "Type": "udp"},
        {"PrivatePort": 8001, "Type": "udp"},
    ]


def test_a_kept_entry_is_the_entry() -> None:
    kept = ContainerList()
    for listed in (
        Listed(CONTAINER, ("one",), "busybox", "Up 1 second"),
        Listed(CONTAINER, ("one",), "busybox", "Up 2 seconds", 5, 6),
        Listed(CONTAINER, ("one",), "sha256:bbbb", "Up 3 seconds"),
        Listed(CONTAINER, ("one", "two/other"), "sha256:bbbb", "Up 3 seconds"),
        Listed(msgspec.structs.replace(CONTAINER, name="two"), ("two",), "busybox", "Up 4 seconds"),
    ):
        for version in (MAXIMUM, Version(1, 41), MAXIMUM):
            (decoded,) = msgspec.json.decode(kept.encode([listed], version))
            assert decoded == msgspec.json.decode(msgspec.json.encode(entry(listed, version)))


def test_what_is_not_listed_any_more_is_not_kept() -> None:
    kept = ContainerList()
    many = [Listed(msgspec.structs.replace(CONTAINER, id=f"{n:064}"), (), "busybox", "Up") for n in range(1000)]
    kept.encode(many, MAXIMUM)
    kept.encode(many[:1], MAXIMUM)
    assert len(kept) == 1


def test_the_first_version_of_cgroups_tells_more() -> None:
    older = replace(SAMPLE, cgroup_version=1, cpu_per_cpu=(1, 2), memory_max_usage=9, memory_failures=3)
    shown = frame(Frame(CONTAINER, older, older))
    assert shown["cpu_stats"]["cpu_usage"]["percpu_usage"] == (1, 2)
    assert (shown["memory_stats"]["max_usage"], shown["memory_stats"]["failcnt"]) == (9, 3)
    newer = frame(Frame(CONTAINER, SAMPLE, None))
    assert "percpu_usage" not in newer["cpu_stats"]["cpu_usage"]
    assert "max_usage" not in newer["memory_stats"]
