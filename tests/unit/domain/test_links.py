"""What `--link` means, as Docker's engine reads and tells it."""

from __future__ import annotations

import pytest

from zonehost.domain.config import Config
from zonehost.domain.links import link_variables, parse_link
from zonehost.errors import InvalidParameter


@pytest.mark.parametrize(
    ("text", "names"),
    [("web", ("web", "web")), ("web:db", ("web", "db")), ("/web:/lk/db", ("web", "db")), ("/web:db", ("/web", "db"))],
)
def test_a_link_names_a_container_and_what_it_is_called(text: str, names: tuple[str, str]) -> None:
    assert parse_link(text) == names


@pytest.mark.parametrize("text", ["", "a:b:c"])
def test_what_is_no_link(text: str) -> None:
    with pytest.raises(InvalidParameter, match="for links"):
        parse_link(text)


def test_the_variables_are_those_of_docker() -> None:
    other = Config(exposed_ports={"99/udp": {}, "8080/tcp": {}}, env=("FOO=bar", "PATH=/bin", "HOME=/", "BARE"))
    assert list(link_variables("my-db", "lk", "172.17.0.3", other)) == [
        "MY_DB_PORT=tcp://172.17.0.3:8080",
        "MY_DB_PORT_8080_TCP=tcp://172.17.0.3:8080",
        "MY_DB_PORT_8080_TCP_ADDR=172.17.0.3",
        "MY_DB_PORT_8080_TCP_PORT=8080",
        "MY_DB_PORT_8080_TCP_PROTO=tcp",
        "MY_DB_PORT_99_UDP=udp://172.17.0.3:99",
        "MY_DB_PORT_99_UDP_ADDR=172.17.0.3",
        "MY_DB_PORT_99_UDP_PORT=99",
        "MY_DB_PORT_99_UDP_PROTO=udp",
        "MY_DB_NAME=/lk/my-db",
        "MY_DB_ENV_FOO=bar",
    ]


def test_ports_in_a_row_are_told_as_a_range_too() -> None:
    other = Config(exposed_ports={"6379/tcp": {}, "6380/tcp": {}})
    told = list(link_variables("r", "lk", "10.0.0.2", other))
    assert told[9:13] == [
        "R_PORT_6379_TCP_START=tcp://10.0.0.2:6379",
        "R_PORT_6379_TCP_PORT_START=6379",
        "R_PORT_6379_TCP_END=tcp://10.0.0.2:6380",
        "R_PORT_6379_TCP_PORT_END=6380",
    ]
    assert len(told) == 14
