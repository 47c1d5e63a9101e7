"""Every field that Docker's API declares for a request is obeyed, refused by name, or said to be for clients only.

The fields are those of the published contract: one that is new in it fails `test_each_field_has_a_verdict` until
somebody decides what becomes of it. The verdicts are in the modules beside this one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.integration.fields.container import CONFIG, ENDPOINTS, NET
from tests.integration.fields.host_config import HOST_CONFIG
from tests.integration.fields.others import CONNECTS, DISCONNECTS, EXEC_STARTS, EXECS, NETWORKS, VOLUMES
from tests.integration.fields.resources import RESOURCES, UPDATES
from tests.integration.fields.verdicts import NOTHING, SENT, Answered, Body, Obeyed, Refused, Verdict, Verdicts
from tests.integration.fields.walk import at, fields_of, holds, joined, put
from tests.integration.rig import Daemon
from tests.integration.wire import Answer, Wire
from tests.wire.contract import contract

ROOT: Final = Path(__file__).parents[3]
CREATES: Final[Verdicts] = {**CONFIG, **HOST_CONFIG, **RESOURCES, **ENDPOINTS}
OPERATIONS: Final[dict[str, Verdicts]] = {
    "/containers/create": CREATES,
    "/containers/{id}/update": UPDATES,
    "/containers/{id}/exec": EXECS,
    "/exec/{id}/start": EXEC_STARTS,
    "/volumes/create": VOLUMES,
    "/networks/create": NETWORKS,
    "/networks/{id}/connect": CONNECTS,
    "/networks/{id}/disconnect": DISCONNECTS,
}
OTHER: Final = "other-of-fields"
SUBNETS: Final = ({"Subnet": "10.77.66.0/24"}, {"Subnet": "fd00:77:66::/64"})


def each(verdicts: Verdicts) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("place", "verdict"), verdicts.items(), ids=list(verdicts))


@pytest.fixture(scope="module")
def others(shared_daemon: Daemon) -> Iterator[Wire]:
    """The API, and a container and a network for what is made to refer to."""
    wire = Wire(shared_daemon.endpoint)
    shared_daemon.docker("run", "-d", "--name", OTHER, "-v", "/data", "busybox", "sleep", "600")
    network = {"Name": NET, "EnableIPv6": True, "IPAM": {"Config": list(SUBNETS)}}
    wire.call("POST", "/networks/create", network, expect=201)
    yield wire
    shared_daemon.remove_zones()


@pytest.fixture
def wire(others: Wire) -> Iterator[Wire]:
    """The API; whatever a test makes under the name `field` is removed."""
    yield others
    for path in ("/containers/field?force=1&v=1", "/volumes/field?force=1", "/networks/field"):
        assert others.raw("DELETE", path).status in (204, 404)
    others.raw("POST", f"/networks/{NET}/disconnect", {"Container": OTHER, "Force": True})


@pytest.mark.parametrize("path", OPERATIONS)
def test_each_field_has_a_verdict(path: str) -> None:
    declared = {place for place in fields_of(contract(), "POST", path) if not place.startswith("ClusterVolumeSpec.")}
    assert declared - set(OPERATIONS[path]) == set(), "decide what becomes of them"
    assert set(OPERATIONS[path]) - declared == set(), "no field of the contract"


@pytest.mark.parametrize("path", OPERATIONS)
def test_what_looks_inside_elsewhere_is_there(path: str) -> None:
    for verdict in _each_verdict(OPERATIONS[path]):
        if isinstance(verdict, Obeyed) and not verdict.command:
            file, _, text = verdict.elsewhere.partition(": ")
            assert text and text in (ROOT / file).read_text(), verdict.elsewhere


@each(CREATES)
def test_create(wire: Wire, place: str, verdict: Verdict | tuple[Verdict, ...]) -> None:
    def send(body: Body, command: str) -> Answer:
        whole = joined({"Image": "busybox", "Cmd": ["sh", "-c", command or "true"]}, body)
        answer = wire.raw("POST", "/containers/create?name=field", whole, version="/v1.51")
        if answer.status == 201 and command:
            answer = wire.raw("POST", "/containers/field/start", version="/v1.51")
        return answer

    def look(command: str) -> tuple[Any, str]:
        inspected = wire.call("GET", "/containers/field/json").json
        seen = {**inspected["Config"], "HostConfig": inspected["HostConfig"]}
        seen["NetworkingConfig"] = {"EndpointsConfig": inspected["NetworkSettings"]["Networks"]}
        return seen, _printed(wire, "field", tty=seen["Tty"]) if command else ""

    _judge(place, verdict, send, look)


@each(UPDATES)
def test_update(shared_daemon: Daemon, wire: Wire, place: str, verdict: Verdict | tuple[Verdict, ...]) -> None:
    beside = verdict.beside.get("HostConfig", {}) if isinstance(verdict, Obeyed) else {}
    wire.call("POST", "/containers/create?name=field", {"Image": "busybox", "Cmd": ["sleep", "600"]}, expect=201)
    wire.call("POST", "/containers/field/start", expect=204)

    def send(body: Body, command: str) -> Answer:
        given = {name: value for name, value in body.items() if name != "HostConfig"}
        return wire.raw("POST", "/containers/field/update", {**beside, **given}, version="/v1.51")

    def look(command: str) -> tuple[Any, str]:
        seen = wire.call("GET", "/containers/field/json").json["HostConfig"]
        return seen, shared_daemon.docker("exec", "field", "sh", "-c", command) if command else ""

    _judge(place, verdict, send, look)


@each(EXECS)
def test_exec(wire: Wire, place: str, verdict: Verdict | tuple[Verdict, ...]) -> None:
    made: list[str] = []

    def send(body: Body, command: str) -> Answer:
        streams = {"AttachStdout": True, "AttachStderr": True}
        whole = joined({"Cmd": ["sh", "-c", command or "true"], **streams}, body)
        answer = wire.raw("POST", f"/containers/{OTHER}/exec", whole, version="/v1.51")
        if answer.status == 201:
            made.append(answer.json["Id"])
        return answer

    def look(command: str) -> tuple[Any, str]:
        inspected = wire.call("GET", f"/exec/{made[0]}/json").json
        process = inspected["ProcessConfig"]
        seen = {
            "AttachStdin": inspected["OpenStdin"],
            "AttachStdout": inspected["OpenStdout"],
            "AttachStderr": inspected["OpenStderr"],
            "Tty": process["tty"],
            "Privileged": process["privileged"],
            "User": process["user"],
        }
        if not command:
            return seen, ""
        said = wire.raw("POST", f"/exec/{made[0]}/start", {"Tty": seen["Tty"]}, version="/v1.51")
        return seen, _text(said.body, tty=seen["Tty"])

    _judge(place, verdict, send, look)


@each(VOLUMES)
def test_volume(wire: Wire, place: str, verdict: Verdict | tuple[Verdict, ...]) -> None:
    def send(body: Body, command: str) -> Answer:
        return wire.raw("POST", "/volumes/create", joined({"Name": "field"}, body), version="/v1.51")

    def look(command: str) -> tuple[Any, str]:
        seen = wire.call("GET", "/volumes/field").json
        return {**seen, "DriverOpts": seen["Options"]}, ""

    _judge(place, verdict, send, look)


@pytest.mark.parametrize("place", [p for p in fields_of(contract(), "POST", "/volumes/create") if "Cluster" in p])
def test_a_volume_of_a_cluster_is_refused(wire: Wire, place: str) -> None:
    answer = wire.raw("POST", "/volumes/create", put({}, place, "x"), version="/v1.51")
    assert (answer.status, "ClusterVolumeSpec" in answer.message) == (501, True)


@each(NETWORKS)
def test_network(shared_daemon: Daemon, wire: Wire, place: str, verdict: Verdict | tuple[Verdict, ...]) -> None:
    def send(body: Body, command: str) -> Answer:
        return wire.raw("POST", "/networks/create", joined({"Name": "field"}, body), version="/v1.51")

    def look(command: str) -> tuple[Any, str]:
        seen = wire.call("GET", "/networks/field").json
        words = ("run", "--rm", "--network", "field", "busybox", "sh", "-c", f"{command}; true")
        return seen, shared_daemon.docker(*words) if command else ""

    _judge(place, verdict, send, look)


@each(CONNECTS)
def test_connect(wire: Wire, place: str, verdict: Verdict | tuple[Verdict, ...]) -> None:
    def send(body: Body, command: str) -> Answer:
        return wire.raw("POST", f"/networks/{NET}/connect", joined({"Container": OTHER}, body), version="/v1.51")

    def look(command: str) -> tuple[Any, str]:
        seen = wire.call("GET", f"/containers/{OTHER}/json").json["NetworkSettings"]["Networks"][NET]
        return {"EndpointConfig": seen}, ""

    _judge(place, verdict, send, look)


@each(DISCONNECTS)
def test_disconnect(wire: Wire, place: str, verdict: Verdict | tuple[Verdict, ...]) -> None:
    wire.call("POST", f"/networks/{NET}/connect", {"Container": OTHER})

    def send(body: Body, command: str) -> Answer:
        return wire.raw("POST", f"/networks/{NET}/disconnect", joined({"Container": OTHER}, body), version="/v1.51")

    def look(command: str) -> tuple[Any, str]:
        networks = wire.call("GET", f"/containers/{OTHER}/json").json["NetworkSettings"]["Networks"]
        assert NET not in networks
        return {}, ""

    _judge(place, verdict, send, look)


def _judge(place: str, verdicts: Verdict | tuple[Verdict, ...], send: Any, look: Any) -> None:
    """Send the field and hold what becomes of it against its verdict; of several, the one of this host."""
    if isinstance(verdicts, tuple):
        refusal = next(verdict for verdict in verdicts if isinstance(verdict, Refused))
        others = [verdict for verdict in verdicts if verdict is not refusal]
        (verdict,) = others
        answer = send(_body(place, verdict), _command(verdict))
        if answer.status >= 400:
            verdict = refusal
    else:
        verdict = verdicts
        answer = send(_body(place, verdict), _command(verdict))
    if isinstance(verdict, Refused):
        assert (answer.status, verdict.says in answer.message) == (verdict.status, True), answer.body
        return
    assert answer.status < 300, answer.body
    seen, printed = look(_command(verdict))
    found = at(seen, place)
    if isinstance(verdict, Answered):
        assert not holds(found, verdict.value), "what was sent back is what is told"
        return
    wanted = verdict.value if verdict.shown is SENT else verdict.shown
    assert wanted is NOTHING or holds(found, wanted), f"inspect shows {found!r}"
    if isinstance(verdict, Obeyed) and verdict.command:
        assert re.fullmatch(verdict.prints, printed.strip()), f"the zone sees {printed!r}"


def _body(place: str, verdict: Verdict) -> Body:
    beside = {} if isinstance(verdict, Answered) else verdict.beside
    return put(beside, place, verdict.value)


def _command(verdict: Verdict) -> str:
    return verdict.command if isinstance(verdict, Obeyed) else ""


def _each_verdict(verdicts: Verdicts) -> Iterator[Verdict]:
    for given in verdicts.values():
        yield from given if isinstance(given, tuple) else (given,)


def _printed(wire: Wire, name: str, *, tty: bool) -> str:
    """What the container has printed when it has ended."""
    wire.call("POST", f"/containers/{name}/wait")
    return _text(wire.raw("GET", f"/containers/{name}/logs?stdout=1&stderr=1", version="/v1.51").body, tty=tty)


def _text(data: bytes, *, tty: bool) -> str:
    """The bytes of a stream, out of their frames if it is no terminal's."""
    if tty:
        return data.decode().replace("\r\n", "\n")
    parts = []
    while data:
        size = int.from_bytes(data[4:8], "big")
        parts.append(data[8 : 8 + size])
        data = data[8 + size :]
    return b"".join(parts).decode()
