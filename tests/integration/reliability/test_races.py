"""Eight clients make, use, rename and remove the same few things at once; a model says what may be true.

Of each name and each container the history of answers must have an order in which all of them are right. What a
container has (an image, a volume; a network while it runs) may not be removed between its creation and its removal.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.reliability.client import Answer, Local
from tests.integration.reliability.figures import Figure
from tests.integration.reliability.model import Call, Effect, contradiction
from tests.integration.reliability.racing import Racer, Tally
from tests.integration.rig import Daemon

pytestmark = pytest.mark.row(10)
CLIENTS = 8
NAMES = 3
"""Of each kind: few, so that they meet."""


@dataclass(frozen=True, slots=True)
class Made:
    """A container, what it has, and since when it is there for sure."""

    id: str
    name: str
    has: frozenset[tuple[str, str]]
    since: float


@dataclass(frozen=True, slots=True)
class Archived:
    """An image that can be loaded again and again."""

    id: str
    archive: bytes


class World(Tally):
    """What all clients know together: every answer, by thing."""

    def __init__(self, images: list[Archived]) -> None:
        self.images = images
        super().__init__()
        self.histories: dict[tuple[str, str], list[Call]] = defaultdict(list)
        self.made: dict[str, Made] = {}
        self.leaving: dict[str, float] = {}
        """When the first removal of a container was asked for: from then on it may be gone."""

    def note(self, kind: str, name: str, answer: Answer, effect: Effect, text: str) -> None:
        told = f"{text} -> {answer.status} {answer.message}".strip()
        with self.lock:
            self.histories[kind, name].append(Call(answer.began, answer.ended, effect, told))

    def contradictions(self) -> list[str]:
        """What cannot be true."""
        found = [
            f"{kind} {name}: {text}"
            for (kind, name), calls in self.histories.items()
            if kind != "image id" and (text := contradiction(calls))
        ]
        for made in self.made.values():
            until = self.leaving.get(made.id, float("inf"))
            for thing in made.has:
                found += [
                    f"{thing} went while container {made.id[:12]} had it: {call.text}"
                    for call in self.histories[thing]
                    if call.effect is Effect.REMOVED and made.since < call.began and call.ended < until
                ]
        return found


class Client(Racer):
    """One client: random work, every answer noted."""

    def __init__(self, daemon: Daemon, world: World, number: int, calls: int) -> None:
        super().__init__(daemon, world, number, calls)
        self._world = world
        self._mine: dict[str, str] = {}
        """The containers that this client made, which nobody else renames, and their names."""

    def work(self) -> Sequence[Callable[[], None]]:
        return [
            *(self._create,) * 4,
            *(self._start, self._remove, self._remove, self._rename, self._stop),
            *(self._make_network, self._remove_network, self._make_volume, self._remove_volume),
            *(self._load_image, self._remove_image, self._tag),
            self._dice.choice((self._prune_containers, self._prune_networks, self._prune_volumes, self._prune_images)),
        ]

    def _any(self, kind: str) -> str:
        return f"{kind}{self._dice.randrange(NAMES)}"

    def _id(self, image: str) -> str:
        return self._world.images[int(image[1:])].id

    def _someone(self) -> str | None:
        """The id of a container that is there, or was."""
        with self._world.lock:
            ids = list(self._world.made)[-2 * NAMES :]
        return self._dice.choice(ids) if ids else None

    def _create(self) -> None:
        name, image, volume, network = map(self._any, ("c", "i", "v", "n"))
        body = {
            "Image": image,
            "Cmd": ["sleep", "3600"],
            "HostConfig": {"Binds": [f"{volume}:/data"], "NetworkMode": network},
        }
        answer = self._call("POST", f"/containers/create?name={name}", body, known=(201, 404, 409))
        text = f"create {name} of {image}"
        if answer.status == 201:
            self._world.note("container", name, answer, Effect.MADE, text)
            self._world.note("image", image, answer, Effect.SEEN, text)
            self._world.note("volume", volume, answer, Effect.ENSURED, text)
            made = Made(
                answer.body["Id"], name, frozenset({("volume", volume), ("image id", self._id(image))}), answer.ended
            )
            self._world.note("id", made.id, answer, Effect.MADE, text)
            with self._world.lock:
                self._world.made[made.id] = made
            self._mine[made.id] = name
        elif answer.status == 409 and "is already in use by container" in answer.message:
            self._world.note("container", name, answer, Effect.SEEN, text)
        elif answer.status == 404 and "No such image" in answer.message:
            self._world.note("image", image, answer, Effect.MISSED, text)

    def _of_container(self, verb: str, *, known: tuple[int, ...]) -> None:
        if (someone := self._someone()) is None:
            return
        answer = self._call("POST", f"/containers/{someone}/{verb}", known=known)
        gone = answer.status == 404 and "No such container" in answer.message
        if gone or answer.status < 400:
            self._world.note("id", someone, answer, Effect.MISSED if gone else Effect.SEEN, verb)

    def _start(self) -> None:
        # 404 and 409 also of a network that is gone, or a container on its way out.
        self._of_container("start", known=(204, 304, 404, 409))

    def _stop(self) -> None:
        self._of_container("stop?t=0", known=(204, 304, 404, 409))

    def _remove(self) -> None:
        if (someone := self._someone()) is None:
            return
        answer = self._call("DELETE", f"/containers/{someone}?force=1", known=(204, 404, 409))
        with self._world.lock:
            self._world.leaving[someone] = min(self._world.leaving.get(someone, answer.began), answer.began)
        if answer.status == 404:
            self._world.note("id", someone, answer, Effect.MISSED, "rm")
        elif answer.status == 204:
            self._world.note("id", someone, answer, Effect.REMOVED, "rm")
            self._name_freed(someone, answer, "rm")

    def _name_freed(self, someone: str, answer: Answer, text: str) -> None:
        """Of the names that it may have had, one is free: which, only its owner could say."""
        for number in range(NAMES):
            self._world.note("container", f"c{number}", answer, Effect.MAYBE_REMOVED, f"{text} {someone[:12]}")

    def _rename(self) -> None:
        if not self._mine:
            return
        someone, name = self._dice.choice(list(self._mine)), self._any("c")
        if name == self._mine[someone]:
            return
        answer = self._call("POST", f"/containers/{someone}/rename?name={name}", known=(204, 404, 409))
        text = f"rename {someone[:12]} to {name}"
        if answer.status == 204:
            self._world.note("container", name, answer, Effect.MADE, text)
            self._world.note("container", self._mine[someone], answer, Effect.MAYBE_REMOVED, text)
            self._mine[someone] = name
        elif answer.status == 404:
            self._world.note("id", someone, answer, Effect.MISSED, text)
            del self._mine[someone]

    def _prune_containers(self) -> None:
        answer = self._call("POST", "/containers/prune", known=(200, 409))
        if answer.status != 200:
            return
        for gone in answer.body["ContainersDeleted"] or ():
            with self._world.lock:
                self._world.leaving[gone] = min(self._world.leaving.get(gone, answer.began), answer.began)
            self._world.note("id", gone, answer, Effect.REMOVED, "prune")
            self._name_freed(gone, answer, "prune")

    def _make_network(self) -> None:
        name = self._any("n")
        answer = self._call("POST", "/networks/create", {"Name": name}, known=(201, 409))
        if answer.status == 201 or "already exists" in answer.message:
            effect = Effect.MADE if answer.status == 201 else Effect.SEEN
            self._world.note("network", name, answer, effect, f"create {name}")

    def _remove_network(self) -> None:
        name = self._any("n")
        answer = self._call("DELETE", f"/networks/{name}", known=(204, 403, 404, 409))
        effect = {204: Effect.REMOVED, 404: Effect.MISSED, 403: Effect.SEEN}.get(answer.status)
        if effect is not None:
            self._world.note("network", name, answer, effect, f"rm {name}")

    def _prune_networks(self) -> None:
        answer = self._call("POST", "/networks/prune", known=(200, 409))
        for name in (answer.body["NetworksDeleted"] or ()) if answer.status == 200 else ():
            self._world.note("network", name, answer, Effect.REMOVED, "prune")

    def _make_volume(self) -> None:
        name = self._any("v")
        answer = self._call("POST", "/volumes/create", {"Name": name}, known=(201, 409))
        if answer.status == 201:
            self._world.note("volume", name, answer, Effect.ENSURED, f"create {name}")

    def _remove_volume(self) -> None:
        name = self._any("v")
        answer = self._call("DELETE", f"/volumes/{name}", known=(204, 404, 409))
        effect = {204: Effect.REMOVED, 404: Effect.MISSED}.get(answer.status)
        if effect is not None:
            self._world.note("volume", name, answer, effect, f"rm {name}")

    def _prune_volumes(self) -> None:
        answer = self._call("POST", '/volumes/prune?filters={"all":["1"]}', known=(200, 409))
        for name in (answer.body["VolumesDeleted"] or ()) if answer.status == 200 else ():
            self._world.note("volume", name, answer, Effect.REMOVED, "prune")

    def _load_image(self) -> None:
        number = self._dice.randrange(NAMES)
        answer = self._http.upload("/images/load", self._world.images[number].archive)
        assert answer.status == 200, answer
        self._world.note("image", f"i{number}", answer, Effect.ENSURED, f"load i{number}")

    def _tag(self) -> None:
        name = self._any("i")
        answer = self._call("POST", f"/images/{name}/tag?repo=other&tag={name}", known=(201, 404))
        self._world.note("image", name, answer, Effect.SEEN if answer.status == 201 else Effect.MISSED, f"tag {name}")
        if answer.status == 201:
            self._call("DELETE", f"/images/other:{name}", known=(200, 404, 409))

    def _remove_image(self) -> None:
        name = self._any("i")
        answer = self._call("DELETE", f"/images/{name}", known=(200, 404, 409))
        if answer.status == 404:
            self._world.note("image", name, answer, Effect.MISSED, f"rmi {name}")
        elif answer.status == 200:
            self._note_removed_images(answer, answer.body, f"rmi {name}")

    def _prune_images(self) -> None:
        answer = self._call("POST", '/images/prune?filters={"dangling":["false"]}', known=(200, 409))
        if answer.status == 200:
            self._note_removed_images(answer, answer.body["ImagesDeleted"] or (), "prune")

    def _note_removed_images(self, answer: Answer, removed: Iterable[dict[str, str]], text: str) -> None:
        """A name may go while a container has its image; the image may not."""
        for entry in removed:
            name = entry.get("Untagged", "").removesuffix(":latest")
            if name.startswith("i"):
                self._world.note("image", name, answer, Effect.REMOVED, text)
            if "Deleted" in entry:
                self._world.note("image id", entry["Deleted"], answer, Effect.REMOVED, text)


@pytest.fixture
def images(own: Daemon, tmp_path: Path) -> list[Archived]:
    """Three images, `i0` to `i2`, each of its own."""
    found = []
    for number in range(NAMES):
        name = f"i{number}"
        own.docker("build", "-q", "-t", name, "-", stdin=f"FROM busybox\nLABEL number={number}\n")
        own.docker("save", "-o", str(tmp_path / name), name)
        found.append(Archived(own.docker("inspect", "-f", "{{.Id}}", name), (tmp_path / name).read_bytes()))
        own.docker("rmi", name)
    return found


def test_every_answer_may_be_true(
    own: Daemon, images: list[Archived], rounds: Callable[[int, int], int], figure: Figure
) -> None:
    world = World(images)
    clients = [Client(own, world, number, rounds(40, 800)) for number in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(Client.run, clients))
    observe(own, world)
    assert world.contradictions() == []
    assert world.odd == []
    for made in own.docker("ps", "-aq", "--no-trunc").split():
        # What each of them has is there: it starts, but for a network, which may go while nothing runs in it.
        result = own.run("start", made)
        assert result.status == 0 or "network" in result.err, result
    assert own.doctor() == []
    figure("clients", CLIENTS)
    figure("calls", world.calls, fold="sum")
    figure("contradictions", 0)


def observe(daemon: Daemon, world: World) -> None:
    """What is there at the end, as one more answer about each thing."""
    client = Local(daemon)
    lists: dict[str, tuple[str, Callable[[object], set[str]]]] = {
        "container": ("/containers/json?all=1", lambda body: {each["Names"][0][1:] for each in body}),  # type: ignore[attr-defined]
        "id": ("/containers/json?all=1", lambda body: {each["Id"] for each in body}),  # type: ignore[attr-defined]
        "network": ("/networks", lambda body: {each["Name"] for each in body}),  # type: ignore[attr-defined]
        "volume": ("/volumes", lambda body: {each["Name"] for each in body["Volumes"] or ()}),  # type: ignore[index]
        "image": (
            "/images/json",
            lambda body: {name.removesuffix(":latest") for each in body for name in each["RepoTags"] or ()},  # type: ignore[attr-defined]
        ),
    }
    for kind, (path, names) in lists.items():
        answer = client.call("GET", path)
        there = names(answer.body)
        for of, name in list(world.histories):
            if of == kind:
                world.note(kind, name, answer, Effect.SEEN if name in there else Effect.MISSED, "list")
    client.close()


def test_the_model_finds_a_contradiction() -> None:
    def call(began: float, ended: float, effect: Effect) -> Call:
        return Call(began, ended, effect, effect.name)

    assert contradiction([call(0, 2, Effect.MADE), call(1, 3, Effect.REMOVED), call(4, 5, Effect.MISSED)]) == ""
    assert contradiction([call(0, 1, Effect.MADE), call(2, 3, Effect.MADE)])
    assert contradiction([call(0, 1, Effect.MADE), call(2, 3, Effect.REMOVED), call(4, 5, Effect.SEEN)])
    assert contradiction([call(0, 3, Effect.MADE), call(1, 2, Effect.SEEN), call(4, 5, Effect.MAYBE_REMOVED)]) == ""
