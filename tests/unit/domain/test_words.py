"""What is told to people, and what is written for zones, is as Docker writes it."""

from __future__ import annotations

import pytest

from zonehost.domain.config import Config, Healthcheck
from zonehost.domain.config_merge import command_line, merge_config
from zonehost.domain.container import Health, State, Status
from zonehost.domain.durations import format_duration, parse_duration
from zonehost.domain.etc_files import hostname_file, hosts_file, resolver_file
from zonehost.domain.image_config import parse_rfc3339, read_image_config, rfc3339, write_image_config
from zonehost.domain.lifecycle import describe, duration_words
from zonehost.domain.random_names import random_name
from zonehost.errors import InvalidParameter

_SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "Less than a second"),
        (1, "1 second"),
        (59, "59 seconds"),
        (60, "About a minute"),
        (150, "2 minutes"),
        (3599, "59 minutes"),
        (3600, "About an hour"),
        (5400, "2 hours"),
        (3 * 86400, "3 days"),
        (20 * 86400, "2 weeks"),
        (90 * 86400, "3 months"),
        (800 * 86400, "2 years"),
    ],
)
def test_lengths_of_time(seconds: float, words: str) -> None:
    assert duration_words(seconds) == words


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (State(), "Created"),
        (State(status=Status.RUNNING, started_at=0), "Up 2 minutes"),
        (State(status=Status.RUNNING, health=Health()), "Up 2 minutes (health: starting)"),
        (State(status=Status.RUNNING, health=Health(status="healthy")), "Up 2 minutes (healthy)"),
        (State(status=Status.PAUSED), "Up 2 minutes (Paused)"),
        (State(status=Status.EXITED, exit_code=3, finished_at=60 * _SECOND), "Exited (3) About a minute ago"),
        (State(status=Status.RESTARTING, exit_code=1, finished_at=119 * _SECOND), "Restarting (1) 1 second ago"),
        (State(status=Status.DEAD), "Dead"),
    ],
)
def test_states(state: State, words: str) -> None:
    assert describe(state, 120 * _SECOND) == words


def test_a_config_takes_from_its_image_what_it_does_not_ask() -> None:
    image = Config(cmd=("c",), entrypoint=("e",), env=("A=1", "B=2"), labels={"x": "1"}, user="u", working_dir="/w")
    plain = merge_config(Config(env=("B=3",), labels={"y": "2"}), image)
    assert command_line(plain) == ("e", ("c",))
    assert plain.env == ("B=3", "A=1")
    assert plain.labels == {"x": "1", "y": "2"}
    assert (plain.user, plain.working_dir) == ("u", "/w")


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (Config(cmd=("x",)), ("e", ("x",))),
        (Config(entrypoint=("n",)), ("n", ())),
        (Config(entrypoint=("",), cmd=("x",)), ("x", ())),
        (Config(entrypoint=()), ("c", ())),
    ],
)
def test_an_entrypoint_that_is_asked_drops_the_images_command(
    asked: Config, words: tuple[str, tuple[str, ...]]
) -> None:
    assert command_line(merge_config(asked, Config(cmd=("c",), entrypoint=("e",)))) == words


def test_nothing_to_run_is_said() -> None:
    with pytest.raises(InvalidParameter, match="no command specified"):
        command_line(merge_config(Config(entrypoint=("",)), Config()))


def test_health_checks_merge_part_by_part() -> None:
    image = Healthcheck(test=("CMD", "check"), interval=5 * _SECOND, retries=7)
    merged = merge_config(Config(healthcheck=Healthcheck(retries=2)), Config(healthcheck=image)).healthcheck
    assert merged == Healthcheck(test=("CMD", "check"), interval=5 * _SECOND, retries=2)


def test_the_files_in_etc() -> None:
    hosts = hosts_file(["10.0.0.2"], "box", "example.org", [("far", "10.9.9.9")]).splitlines()
    assert hosts[0] == "127.0.0.1\tlocalhost"
    assert hosts[-2:] == ["10.9.9.9\tfar", "10.0.0.2\tbox.example.org box"]
    assert hostname_file("box") == "box\n"


def test_a_zone_cannot_ask_the_hosts_loopback() -> None:
    host = "nameserver 127.0.0.53\nnameserver 192.0.2.1\nsearch a b\noptions edns0\n"
    assert resolver_file(host) == "nameserver 192.0.2.1\nsearch a b\noptions edns0\n"
    assert resolver_file("nameserver ::1\n").startswith("nameserver 8.8.8.8\n")
    assert "127.0.0.53" in resolver_file(host, own_network=False)
    asked = resolver_file(host, servers=["10.1.1.1"], search=["."], options=["ndots:2"])
    assert asked == "nameserver 10.1.1.1\noptions ndots:2\n"


def test_times_of_image_configurations() -> None:
    assert rfc3339(1_700_000_000_000_000_001) == "2023-11-14T22:13:20.000000001Z"
    assert parse_rfc3339("2023-11-14T22:13:20.000000001Z") == 1_700_000_000_000_000_001
    assert parse_rfc3339("2023-11-14T23:13:20.5+01:00") == 1_700_000_000_500_000_000
    assert parse_rfc3339("yesterday") == parse_rfc3339(None) == 0


def test_an_image_configuration_comes_back() -> None:
    config = read_image_config(b'{"architecture":"amd64","os":"linux","config":{"Cmd":["a"],"Env":null},"rootfs":{}}')
    assert config.run.cmd == ("a",)
    assert read_image_config(write_image_config(config)) == config
    with pytest.raises(InvalidParameter, match="invalid image configuration"):
        read_image_config(b"{")


def test_random_names_are_free() -> None:
    class Nearly:
        def __contains__(self, name: object) -> bool:
            return not str(name)[-1].isdigit()

    assert random_name(Nearly())[-1].isdigit()


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0s"),
        (7, "7ns"),
        (1_500, "1.5µs"),
        (300_000_000, "300ms"),
        (1_500_000_000, "1.5s"),
        (30_000_000_000, "30s"),
        (60_000_000_000, "1m0s"),
        (5_400_000_000_000, "1h30m0s"),
    ],
)
def test_durations_are_printed_as_go_prints_them(nanoseconds: int, text: str) -> None:
    assert format_duration(nanoseconds) == text
    assert parse_duration(text) == nanoseconds
