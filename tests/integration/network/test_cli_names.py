"""Names with the real CLI: one is there when the command that brings it returns, gone when the one that takes it does.

The real CLI, several at once; who asks is a zone that is running, by a socket that is open already, so that nothing
but the question itself lies between.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from tests.integration.network.test_names import ask
from tests.integration.network.world import Joined, Place, Street
from tests.integration.rig import Daemon
from zonehost.drivers.network.resolver import wire

AT_ONCE = 4
ROUNDS = 8
SLEEP = ("busybox", "sleep", "1000")


def inside(daemon: Daemon, name: str) -> Place:
    """The network namespace of a container."""
    return Joined(daemon.docker("inspect", "-f", "{{.State.Pid}}", name))


@pytest.fixture
def asker(daemon: Daemon) -> Iterator[Place]:
    """A container in the network `both`, which has both families."""
    subnets = ("--subnet", "10.242.20.0/24", "--subnet", "fd00:242:20::/64")
    daemon.docker("network", "create", "--ipv6", *subnets, "both")
    daemon.docker("run", "-d", "--name", "asker", "--network", "both", *SLEEP)
    with closing(inside(daemon, "asker")) as asking:
        yield asking


def found(asker: Place, name: str) -> tuple[str, str]:
    """The address of either family that a name has at this moment, each of which leads back to it."""
    (code4, first), (code6, second) = ask(asker, name), ask(asker, name, wire.AAAA)
    assert (code4, code6, len(first), len(second)) == (0, 0, 1, 1), (name, code4, first, code6, second)
    return first[0], second[0]


def has_address(asker: Place, name: str) -> bool:
    """What no zone is called is asked outside, where nobody may answer."""
    return any(ask(asker, name, kind)[1] for kind in (wire.A, wire.AAAA))


def names_of(asker: Place, address: str) -> tuple[int, list[str]]:
    return ask(asker, wire.reverse_name(address), wire.PTR)


def is_gone(asker: Place, name: str, addresses: tuple[str, str]) -> None:
    assert not has_address(asker, name)
    assert not any(f"{name}.both" in names_of(asker, address)[1] for address in addresses)


def addresses_of(daemon: Daemon, name: str) -> tuple[str, ...]:
    own = "{{with .NetworkSettings.Networks.both}}{{.IPAddress}} {{.GlobalIPv6Address}}{{end}}"
    return tuple(daemon.docker("inspect", "-f", own, name).split())


def at_once(work: Callable[[int], None]) -> None:
    """Rounds of work, several at a time, each with a number of its own."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(work, range(AT_ONCE * ROUNDS)))


def test_of_a_container_that_is_run(daemon: Daemon, asker: Place) -> None:
    def come_and_go(number: int) -> None:
        name = f"web{number}"
        daemon.docker("run", "-d", "--name", name, "--network", "both", "--network-alias", f"as-{name}", *SLEEP)
        known = found(asker, name)
        assert [names_of(asker, address) for address in known] == [(0, [f"{name}.both"])] * 2
        assert found(asker, f"as-{name}") == found(asker, f"{name}.both") == known == addresses_of(daemon, name)
        daemon.docker("rm", "--force", name)
        is_gone(asker, name, known)

    at_once(come_and_go)


def test_of_a_container_that_is_started_and_stopped(daemon: Daemon, asker: Place) -> None:
    def start_and_stop(number: int) -> None:
        name = f"web{number}"
        daemon.docker("create", "--name", name, "--network", "both", *SLEEP)
        assert not has_address(asker, name)
        daemon.docker("start", name)
        known = found(asker, name)
        daemon.docker("kill", name)
        daemon.docker("wait", name)
        is_gone(asker, name, known)
        daemon.docker("rm", name)

    at_once(start_and_stop)


def test_of_a_container_that_is_connected(daemon: Daemon, asker: Place) -> None:
    for one in range(AT_ONCE * ROUNDS):
        daemon.docker("run", "-d", "--name", f"late{one}", *SLEEP)

    def join_and_leave(number: int) -> None:
        name = f"late{number}"
        daemon.docker("network", "connect", "--alias", f"as-{name}", "both", name)
        known = found(asker, name)
        assert [names_of(asker, address) for address in known] == [(0, [f"{name}.both"])] * 2
        assert found(asker, f"as-{name}") == known == addresses_of(daemon, name)
        with closing(inside(daemon, name)) as joined:
            assert len(ask(joined, "asker")[1]) == len(ask(joined, "asker", wire.AAAA)[1]) == 1
        daemon.docker("network", "disconnect", "both", name)
        is_gone(asker, name, known)

    at_once(join_and_leave)


def test_replicas_take_turns_and_no_daemon_is_needed(new_daemon: Callable[..., Daemon]) -> None:
    daemon = new_daemon()
    daemon.zonehost("bootstrap", "busybox")
    daemon.docker("network", "create", "both")
    for name in ("asker", "one", "two"):
        daemon.docker("run", "-d", "--name", name, "--network", "both", "--network-alias", "all", *SLEEP)
    with closing(inside(daemon, "asker")) as asking:
        own = [ask(asking, name)[1][0] for name in ("asker", "one", "two")]
        daemon.kill()
        turns = [ask(asking, "all")[1] for _ in range(12)]
        assert all(sorted(turn) == sorted(own) for turn in turns)
        assert {turn[0] for turn in turns} == set(own)
        assert names_of(asking, own[1]) == (0, ["one.both"])
        daemon.start()
        daemon.docker("rm", "-f", "one")
        assert sorted(ask(asking, "all")[1]) == sorted({own[0], own[2]})


def test_other_names_come_from_the_servers_that_are_asked_for(daemon: Daemon, street: Street) -> None:
    daemon.docker("network", "create", "town")
    daemon.docker("run", "-d", "--name", "asker", "--network", "town", "--dns", street.outside4, *SLEEP)
    server = street.outside.serve(53, kind=socket.SOCK_DGRAM)

    def answer_once() -> tuple[bytes, str]:
        query, back = server.recvfrom(512)
        question = query[12 : query.index(b"\0", 12) + 5]
        record = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + bytes((192, 0, 2, 7))
        server.sendto(query[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + question + record, back)
        return question, str(back[0])

    with ThreadPoolExecutor(1) as pool, closing(inside(daemon, "asker")) as asking:
        answered = pool.submit(answer_once)
        assert ask(asking, "www.example.test") == (0, ["192.0.2.7"])
        assert answered.result() == (b"\3www\7example\4test\0\0\1\0\1", street.host4)
