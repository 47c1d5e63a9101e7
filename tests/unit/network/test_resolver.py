"""The resolver without sockets: questions read, names found, answers that fit, junk."""

from __future__ import annotations

import json
import os
import socket
import struct
import threading
from contextlib import ExitStack
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zonehost.drivers.network.resolver import wire
from zonehost.drivers.network.resolver.datagrams import COUNT
from zonehost.drivers.network.resolver.server import Server
from zonehost.drivers.network.resolver.views import Directory, Place, Zone
from zonehost.drivers.network.resolver.wire import Malformed, answer, read_question, same_question, truncated


def query(name: str, kind: int = wire.A, *, edns: int = 0, identity: bytes = b"\x12\x34") -> bytes:
    options = b"\0" + struct.pack("!HHIH", wire.OPT, edns, 0, 0) if edns else b""
    head = identity + struct.pack("!HHHHH", 0x0100, 1, 0, 0, 1 if edns else 0)
    return head + wire.name_value(name) + struct.pack("!HH", kind, 1) + options


def place(network: str = "n1", *names: str, ipv4: str = "10.0.0.2", **fields: str) -> Place:
    return Place(network, f"{network}-name", names, ipv4=ipv4, **fields)  # type: ignore[arg-type]


def test_a_question_is_read_in_lower_case_with_its_size() -> None:
    question = read_question(query("Web.Example", wire.AAAA, edns=4096))
    assert (question.name, question.kind, question.internet) == ("web.example", wire.AAAA, True)
    assert (question.size, question.edns) == (4096, True)
    assert read_question(query("web")).size == wire.PLAIN_SIZE


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        query("web")[:11],
        query("web")[:14],
        query("web")[:-1],
        b"\0\0\x80\0" + query("web")[4:],
        query("web")[:4] + b"\0\2" + query("web")[6:],
        query("web")[:12] + b"\xc0\x0c\0\1\0\1",
    ],
)
def test_what_is_no_question_is_said_so(broken: bytes) -> None:
    with pytest.raises(Malformed):
        read_question(broken)


@given(st.binary(max_size=300))
def test_no_bytes_do_more_than_be_malformed(data: bytes) -> None:
    try:
        question = read_question(data)
    except Malformed:
        return
    assert len(answer(question, [b"\1\2\3\4"] * 200)) + 2 <= question.size


def test_an_answer_repeats_the_question_to_the_letter() -> None:
    asked = query("WeB", edns=1232)
    reply = asked[:2] + answer(read_question(asked), [b"\x0a\0\0\2"])
    assert same_question(asked, reply)
    assert b"WeB" in reply
    assert reply.count(b"\x0a\0\0\2") == 1
    assert reply[3] & 0x0F == wire.NO_ERROR


def test_an_answer_that_does_not_fit_is_cut_and_marked() -> None:
    question = read_question(query("web"))
    values = [bytes((10, 0, 0, n)) for n in range(100)]
    short = answer(question, values)
    whole = answer(question, values, limit=wire.LARGEST)
    assert len(short) + 2 <= wire.PLAIN_SIZE
    assert (short[0] & 2, whole[0] & 2) == (2, 0)
    assert int.from_bytes(whole[4:6], "big") == 100
    assert truncated(b"\x12\x34" + whole, query("web"))[2] & 2


def test_a_reply_to_another_question_does_not_count() -> None:
    asked = query("web")
    right = b"\x12\x34" + answer(read_question(asked), [])
    assert same_question(asked, right)
    assert not same_question(asked, b"\x12\x35" + right[2:])
    assert not same_question(asked, query("web"))
    assert not same_question(asked, b"\x12\x34" + answer(read_question(query("wab")), []))
    assert not same_question(asked, b"\x12\x34")


def test_a_zone_sees_the_names_of_its_own_networks() -> None:
    directory = Directory()
    directory.put(Zone("a", (place("n1", "web", "WWW"),)))
    directory.put(Zone("b", (place("n1", "db", ipv4="10.0.0.3"), place("n2", "db", ipv4="10.1.0.3"))))
    directory.put(Zone("c", (place("n2", "cache", ipv4="10.1.0.4"),)))
    assert directory.look_up("b", "www", wire.A) == [bytes((10, 0, 0, 2))]
    assert directory.look_up("a", "db", wire.A) == [bytes((10, 0, 0, 3))]
    assert directory.look_up("c", "db.n2-name", wire.A) == [bytes((10, 1, 0, 3))]
    assert directory.look_up("a", "cache", wire.A) is None
    assert directory.look_up("a", "db", wire.AAAA) == []
    assert directory.look_up("nobody", "db", wire.A) is None


def test_reverse_names() -> None:
    directory = Directory()
    directory.put(Zone("a", (place("n1", "web", ipv6="fd00::2"),)))
    for address in ("10.0.0.2", "fd00::2"):
        [value] = directory.look_up("a", wire.reverse_name(address), wire.PTR) or []
        assert value == wire.name_value("web.n1-name")
    directory.put(Zone("b", (place("n1", "x" * 64, ipv4="10.0.0.9"),)))
    assert directory.look_up("a", wire.reverse_name("10.0.0.9"), wire.PTR) is None


def test_what_is_dropped_is_gone_and_shared_names_stay() -> None:
    directory = Directory()
    directory.put(Zone("a", (place("n1", "app"),)))
    directory.put(Zone("b", (place("n1", "app", ipv4="10.0.0.3"),)))
    directory.put(Zone("b", (place("n1", "app", ipv4="10.0.0.4"),)))
    assert directory.look_up("a", "app", wire.A) == [bytes((10, 0, 0, 2)), bytes((10, 0, 0, 4))]
    directory.drop("b")
    directory.drop("b")
    assert directory.look_up("a", "app", wire.A) == [bytes((10, 0, 0, 2))]
    directory.drop("a")
    assert directory.zones == {}


def test_zones_without_names_come_and_go() -> None:
    directory = Directory()
    for zone in ("a", "b"):
        directory.put(Zone(zone, (place("n1"),)))
    directory.drop("a")
    assert directory.look_up("b", "web", wire.A) is None
    directory.drop("b")


def test_links_are_names_of_one_zone_only() -> None:
    directory = Directory()
    directory.put(Zone("a", (place("n1", "web", links=(("db", "postgres"),)),)))  # type: ignore[arg-type]
    directory.put(Zone("b", (place("n1", "postgres", ipv4="10.0.0.3"),)))
    assert directory.look_up("a", "db", wire.A) == [bytes((10, 0, 0, 3))]
    assert directory.look_up("b", "db", wire.A) is None


def serving(path: Path) -> tuple[threading.Thread, socket.socket]:
    """A resolver with little patience in a thread, and a daemon's connection to it."""
    control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    control.bind(str(path))
    control.listen()
    daemon = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    daemon.connect(str(path))
    thread = threading.Thread(target=Server(control, patience=0.1).run, daemon=True)
    thread.start()
    return thread, daemon


def order(daemon: socket.socket, words: dict[str, object], *descriptors: int) -> object:
    socket.send_fds(daemon, [json.dumps(words).encode()], descriptors)
    return json.loads(daemon.recv(4096))


def test_a_resolver_without_zones_ends_after_its_daemon(tmp_path: Path) -> None:
    thread, daemon = serving(tmp_path / "s")
    thread.join(0.3)
    assert thread.is_alive()
    daemon.close()
    thread.join(30)
    assert not thread.is_alive()


def test_a_resolver_with_zones_goes_on_until_nobody_can_find_it(tmp_path: Path) -> None:
    thread, daemon = serving(tmp_path / "s")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams, socket.socket() as streams:
        for ear in (datagrams, streams):
            ear.bind(("127.0.0.1", 0))
        streams.listen()
        zone = {"id": "a", "places": [], "servers": [], "outside": False}
        order(daemon, {"put": zone}, datagrams.fileno(), streams.fileno())
        assert order(daemon, {"list": True}) == ["a"]
    daemon.close()
    thread.join(0.5)
    assert thread.is_alive()
    (tmp_path / "s").unlink()
    thread.join(30)
    assert not thread.is_alive()


def test_many_questions_at_once_are_each_answered_to_who_asked(tmp_path: Path) -> None:
    thread, daemon = serving(tmp_path / "s")
    ends = {"one": bytes([10, 0, 0, 1]), "two": bytes([10, 0, 0, 2]), "nobody": wire.A.to_bytes(2, "big") + b"\0\1"}
    with ExitStack() as stack:
        datagrams = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        streams = stack.enter_context(socket.socket())
        for ear in (datagrams, streams):
            ear.bind(("127.0.0.1", 0))
        asked = [
            [(name, number) for number in range(COUNT) for name in names] for names in (list(ends), list(ends)[::-1])
        ]
        askers = [stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in asked]
        for asker, questions in zip(askers, asked, strict=True):
            asker.settimeout(30)
            asker.connect(datagrams.getsockname())
            for name, number in questions:
                asker.send(query(name, identity=number.to_bytes(2, "big")))
        places = [place("n", name, ipv4=str(IPv4Address(ends[name])))._asdict() for name in ("one", "two")]
        zone = {"id": "a", "places": places, "servers": [], "outside": False}
        order(daemon, {"put": zone}, datagrams.fileno(), streams.fileno())
        for asker, questions in zip(askers, asked, strict=True):
            for name, number in questions:
                text = asker.recv(512)
                assert int.from_bytes(text[:2], "big") == number
                assert text[3] & 15 == (wire.SERVER_FAILURE if name == "nobody" else wire.NO_ERROR)
                assert text.endswith(ends[name])
    daemon.close()
    (tmp_path / "s").unlink()
    thread.join(30)


def heard(stack: ExitStack, daemon: socket.socket, zone: str, *servers: str) -> tuple[socket.socket, socket.socket]:
    """The sockets of a zone that the resolver hears: of its questions, and of its connections."""
    datagrams = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    streams = stack.enter_context(socket.socket())
    for ear in (datagrams, streams):
        ear.bind(("127.0.0.1", 0))
    streams.listen(128)
    words = {"id": zone, "places": [], "servers": servers, "outside": bool(servers)}
    order(daemon, {"put": words}, datagrams.fileno(), streams.fileno())
    return datagrams, streams


def test_a_zone_that_keeps_connections_takes_none_from_another(tmp_path: Path) -> None:
    thread, daemon = serving(tmp_path / "s")
    with ExitStack() as stack:
        _, busy = heard(stack, daemon, "busy")
        _, other = heard(stack, daemon, "other")
        for _ in range(64):
            stack.enter_context(socket.create_connection(busy.getsockname(), 30))
        refused = stack.enter_context(socket.create_connection(busy.getsockname(), 30))
        assert refused.recv(1) == b""  # all before it have been taken, or sent away
        asker = stack.enter_context(socket.create_connection(other.getsockname(), 30))
        text = query("web")
        asker.sendall(len(text).to_bytes(2, "big") + text)
        assert int.from_bytes(asker.recv(2), "big") >= wire.HEADER
    daemon.close()
    (tmp_path / "s").unlink()
    thread.join(30)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may listen where name servers do")
def test_a_zone_that_asks_without_end_takes_no_answer_from_another(tmp_path: Path) -> None:
    thread, daemon = serving(tmp_path / "s")
    address = "127.53.53.53"
    with ExitStack() as stack:
        server = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        server.bind((address, 53))
        server.settimeout(30)
        busy, _ = heard(stack, daemon, "busy", address)
        other, _ = heard(stack, daemon, "other", address)
        asker = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        asker.settimeout(30)
        refused = 0
        for number in range(1000):
            asker.sendto(query(f"q{number}"), busy.getsockname())
            if number >= 128:  # no more than that are put outside, and each further one is answered at once
                refused += asker.recv(512)[3] & 15 == wire.SERVER_FAILURE
        assert refused == 872
        asker.sendto(query("mine"), other.getsockname())
        while b"mine" not in (server.recvfrom(512)[0]):
            pass
    daemon.close()
    (tmp_path / "s").unlink()
    thread.join(30)
