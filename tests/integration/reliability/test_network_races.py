"""Eight clients make, use and remove the same few networks at once, with containers that come into them and leave.

Of each network, container and endpoint the history of answers must have an order in which all of them are right, and no
network may go while a container that is in it runs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.integration.reliability.client import Answer, Local
from tests.integration.reliability.figures import Figure
from tests.integration.reliability.model import Call, Effect, contradiction
from tests.integration.reliability.racing import Racer, Tally
from tests.integration.rig import Daemon

pytestmark = pytest.mark.row(10)
CLIENTS = 8
NETWORKS = ("n0", "n1", "n2")
AROUND = 6
"""Containers that clients meet at: the last that were made."""
ENDS = frozenset({Effect.REMOVED, Effect.MAYBE_REMOVED})

Thing = tuple[str, ...]
"""`("network", name)`, `("container", id)`, `("endpoint", name, id)`, or that it runs: `("run", id)`."""


class World(Tally):
    """What all clients know together: every answer, by thing."""

    def __init__(self) -> None:
        super().__init__()
        self.histories: dict[Thing, list[Call]] = defaultdict(list)
        self.made: list[str] = []

    def note(self, answer: Answer, text: str, *effects: tuple[Effect, Thing]) -> None:
        told = f"{text} -> {answer.status} {answer.message}".strip()
        with self.lock:
            for effect, thing in effects:
                self.histories[thing].append(Call(answer.began, answer.ended, effect, told))

    def contradictions(self) -> list[str]:
        """What cannot be true."""
        found = [
            f"{thing}: {text}"
            for thing, calls in self.histories.items()
            if thing[0] != "run" and (text := contradiction(calls))
        ]
        for thing in list(self.histories):
            if thing[0] == "endpoint":
                _, network, container = thing
                found += [
                    f"network {network} went while container {container[:12]} ran in it: {call}"
                    for call in self.histories["network", network]
                    if call.effect is Effect.REMOVED and self._for_sure(thing, call) and self._runs(container, call)
                ]
        return found

    def _runs(self, container: str, call: Call) -> bool:
        return self._for_sure(("run", container), call)

    def _for_sure(self, thing: Thing, during: Call) -> bool:
        """Whether the thing was there from before the call to after it, in whatever order the others were."""
        calls = self.histories[thing]
        made = [call for call in calls if call.effect is Effect.MADE and call.ended < during.began]
        return any(
            all(end.ended < one.began or end.began > during.ended for end in calls if end.effect in ENDS)
            for one in made
        )


class Client(Racer):
    """One client: random work, every answer noted."""

    def __init__(self, daemon: Daemon, world: World, number: int, calls: int) -> None:
        super().__init__(daemon, world, number, calls)
        self._world = world

    def work(self) -> Sequence[Callable[[], None]]:
        return [
            *(self._create, self._start, self._start, self._stop, self._remove),
            *(self._connect, self._connect, self._connect, self._disconnect, self._disconnect),
            *(self._make_network, self._make_network, self._remove_network, self._remove_network, self._look),
            self._prune,
        ]

    def _someone(self) -> str:
        with self._world.lock:
            around = self._world.made[-AROUND:]
        return self._dice.choice(around) if around else "nobody"

    def _create(self) -> None:
        network = self._dice.choice(NETWORKS)
        ports = self._dice.choice(({}, {"80/tcp": [{"HostIp": "127.0.0.1"}]}))
        body = {
            "Image": "busybox",
            "Cmd": ["sleep", "3600"],
            "HostConfig": {"NetworkMode": network, "PortBindings": ports},
        }
        answer = self._call("POST", "/containers/create", body, known=(201,))
        made = answer.body["Id"]
        effects = (Effect.MADE, ("container", made)), (Effect.MADE, ("endpoint", network, made))
        self._world.note(answer, f"create in {network}", *effects)
        with self._world.lock:
            self._world.made.append(made)

    def _start(self) -> None:
        someone = self._someone()
        # 404 also of a network that is gone.
        answer = self._call("POST", f"/containers/{someone}/start", known=(204, 304, 404, 409))
        if answer.status == 204:
            self._world.note(answer, "start", (Effect.MADE, ("run", someone)))
        self._note_container(answer, someone, "start")

    def _stop(self) -> None:
        someone = self._someone()
        answer = self._call("POST", f"/containers/{someone}/stop?t=0", known=(204, 304, 404, 409))
        self._world.note(answer, "stop", (Effect.MAYBE_REMOVED, ("run", someone)))
        self._note_container(answer, someone, "stop")

    def _remove(self) -> None:
        someone = self._someone()
        answer = self._call("DELETE", f"/containers/{someone}?force=1", known=(204, 404, 409))
        left = [(Effect.MAYBE_REMOVED, ("endpoint", network, someone)) for network in NETWORKS]
        self._world.note(answer, "rm", (Effect.MAYBE_REMOVED, ("run", someone)), *left)
        effect = {204: Effect.REMOVED, 404: Effect.MISSED}.get(answer.status)
        if effect is not None:
            self._world.note(answer, "rm", (effect, ("container", someone)))

    def _connect(self) -> None:
        self._of_endpoint("connect", Effect.MADE, "already exists in network", Effect.SEEN)

    def _disconnect(self) -> None:
        self._of_endpoint("disconnect", Effect.REMOVED, "is not connected to network", Effect.MISSED)

    def _of_endpoint(self, verb: str, done: Effect, refusal: str, refused: Effect) -> None:
        network, someone = self._dice.choice(NETWORKS), self._someone()
        answer = self._call("POST", f"/networks/{network}/{verb}", {"Container": someone}, known=(200, 403, 404, 409))
        text = f"{verb} {someone[:12]} and {network}"
        seen = (Effect.SEEN, ("network", network)), (Effect.SEEN, ("container", someone))
        endpoint = ("endpoint", network, someone)
        if answer.status == 200 and verb == "disconnect":  # a container that does not run leaves one that is gone, too
            self._world.note(answer, text, (done, endpoint), (Effect.SEEN, ("container", someone)))
        elif answer.status == 200:
            self._world.note(answer, text, (done, endpoint), *seen)
        elif answer.status == 403 and refusal in answer.message:
            self._world.note(answer, text, (refused, endpoint), *seen)
        elif answer.status == 404 and f"network {network} not found" in answer.message:
            self._world.note(answer, text, (Effect.MISSED, ("network", network)))
        else:
            self._note_container(answer, someone, text)

    def _note_container(self, answer: Answer, someone: str, text: str) -> None:
        gone = answer.status == 404 and "No such container" in answer.message
        if gone or answer.status < 400:
            self._world.note(answer, text, (Effect.MISSED if gone else Effect.SEEN, ("container", someone)))

    def _make_network(self) -> None:
        name = self._dice.choice(NETWORKS)
        answer = self._call("POST", "/networks/create", {"Name": name}, known=(201, 409))
        if answer.status == 201 or "already exists" in answer.message:
            effect = Effect.MADE if answer.status == 201 else Effect.SEEN
            self._world.note(answer, f"create {name}", (effect, ("network", name)))

    def _remove_network(self) -> None:
        name = self._dice.choice(NETWORKS)
        answer = self._call("DELETE", f"/networks/{name}", known=(204, 403, 404, 409))
        effect = {204: Effect.REMOVED, 404: Effect.MISSED, 403: Effect.SEEN}.get(answer.status)
        if effect is not None:
            self._world.note(answer, f"rm {name}", (effect, ("network", name)))

    def _look(self) -> None:
        name = self._dice.choice(NETWORKS)
        answer = self._call("GET", f"/networks/{name}", known=(200, 404))
        effect = Effect.SEEN if answer.status == 200 else Effect.MISSED
        self._world.note(answer, f"inspect {name}", (effect, ("network", name)))

    def _prune(self) -> None:
        answer = self._call("POST", "/networks/prune", known=(200, 409))
        for name in (answer.body["NetworksDeleted"] or ()) if answer.status == 200 else ():
            self._world.note(answer, "prune", (Effect.REMOVED, ("network", name)))


def test_every_answer_of_networks_may_be_true(own: Daemon, rounds: Callable[[int, int], int], figure: Figure) -> None:
    world = World()
    clients = [Client(own, world, number, rounds(40, 400)) for number in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(Client.run, clients))
    assert world.contradictions() == []
    assert world.odd == []
    check_that_zones_are_in_their_networks(own)
    assert own.doctor() == []
    figure("calls", world.calls, fold="sum")


def check_that_zones_are_in_their_networks(daemon: Daemon) -> None:
    """Of all that run: what the daemon says of networks and containers is one, and so are the links inside."""
    client = Local(daemon)
    for network in NETWORKS:
        client.call("POST", "/networks/create", {"Name": network})
    known = {each["Id"]: each["Name"] for each in client.call("GET", "/networks").body}
    inside: dict[str, set[str]] = defaultdict(set)
    for made in client.call("GET", "/containers/json?all=1").body:
        assert client.call("POST", f"/containers/{made['Id']}/start").status in (204, 304)
        endpoints = client.call("GET", f"/containers/{made['Id']}/json").body["NetworkSettings"]["Networks"]
        assert {endpoint["NetworkID"]: name for name, endpoint in endpoints.items()}.items() <= known.items()
        links = daemon.docker("exec", made["Id"], "ip", "-o", "link").splitlines()
        assert len(links) == len(endpoints) + 1, (links, endpoints)
        for endpoint in endpoints.values():
            inside[endpoint["NetworkID"]].add(made["Id"])
    for network in known:
        assert set(client.call("GET", f"/networks/{network}").body["Containers"]) == inside[network]
    client.close()


def test_the_model_finds_a_network_that_went() -> None:
    def call(began: float, ended: float, effect: Effect) -> Call:
        return Call(began, ended, effect, effect.name)

    world = World()
    made, end = call(0, 1, Effect.MADE), call(8, 9, Effect.MAYBE_REMOVED)
    world.histories["run", "c"] = [made, end]
    world.histories["endpoint", "n0", "c"] = [made]
    world.histories["network", "n0"] = [made, call(7, 10, Effect.REMOVED)]
    assert world.contradictions() == []
    world.histories["network", "n0"] = [made, call(6, 7, Effect.REMOVED)]
    assert len(world.contradictions()) == 1
