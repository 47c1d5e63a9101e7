"""Images on the wire."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from tests.fakes.host import CREATED
from tests.wire.peer import Peer


async def test_an_image_is_listed_inspected_and_has_a_history(peer: Peer) -> None:
    (listed,) = (await peer.ask("GET", "/images/json?shared-size=1")).body
    assert listed["RepoTags"] == ["busybox:latest"]
    assert (listed["Labels"], listed["SharedSize"], listed["Containers"]) == ({"from": "image"}, 0, 0)
    found = (await peer.ask("GET", "/images/docker.io/library/busybox/json")).body
    assert found["Id"] == listed["Id"]
    assert (found["Created"], found["Os"], found["Architecture"]) == (CREATED, "linux", "amd64")
    assert found["Config"] == {
        "User": "",
        "Env": ["PATH=/bin"],
        "Cmd": ["sleep"],
        "Volumes": None,
        "WorkingDir": "",
        "Entrypoint": None,
        "OnBuild": None,
        "Labels": {"from": "image"},
    }
    assert found["RootFS"]["Type"] == "layers"
    (step,) = (await peer.ask("GET", "/images/busybox/history")).body
    assert (step["Id"], step["CreatedBy"], step["Tags"]) == (listed["Id"], "made by hand", ["busybox:latest"])


async def test_older_clients_get_the_fields_that_they_read(peer: Peer) -> None:
    found = (await peer.ask("GET", "/images/busybox/json", version="v1.38")).body
    assert found["ContainerConfig"]["Volumes"] is None
    assert found["Config"]["Hostname"] == ""
    assert found["VirtualSize"] == found["Size"]
    (listed,) = (await peer.ask("GET", "/images/json", version="v1.38")).body
    assert listed["VirtualSize"] == listed["Size"]


async def test_an_image_is_named_and_removed_name_by_name(peer: Peer) -> None:
    assert (await peer.ask("POST", "/images/busybox/tag?repo=registry.example:5000/team/app&tag=1")).status == 201
    steps = (await peer.ask("DELETE", "/images/registry.example:5000/team/app:1")).body
    assert steps == [{"Untagged": "registry.example:5000/team/app:1"}]
    made = await peer.create("sleep")
    used = await peer.ask("DELETE", "/images/busybox")
    assert used.status == 409
    assert made[:12] in used.message
    await peer.ask("DELETE", f"/containers/{made}")
    steps = (await peer.ask("DELETE", "/images/busybox")).body
    assert [next(iter(step)) for step in steps] == ["Untagged", "Deleted", "Deleted"]
    assert (await peer.ask("GET", "/images/busybox/json")).message == "No such image: busybox:latest"


async def test_an_archive_is_imported(peer: Peer) -> None:
    answer = await peer.send(
        "POST", "/images/create?fromSrc=-&repo=made&tag=1&changes=CMD+echo&message=why", b"layer 2"
    )
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.body.startswith(b'{"status":"sha256:')
    found = (await peer.ask("GET", "/images/made:1/json")).body
    assert (found["Comment"], found["Config"]["Cmd"]) == ("why", ["/bin/sh", "-c", "echo"])
    events = (await peer.send("GET", "/events?since=1&until=1700000001", b"")).body
    told = [json.loads(line) for line in events.splitlines()]
    assert [(event["Action"], event["Actor"]["Attributes"]["name"]) for event in told if event["Type"] == "image"] == [
        ("tag", "made:1"),
        ("import", found["Id"]),
    ]
    refused = await peer.send("POST", "/images/create?fromSrc=-", b"bad")
    assert (refused.status, refused.body) == (400, b'{"message":"not an archive"}\n')


async def test_what_is_saved_can_be_loaded(peer: Peer) -> None:
    saved = await peer.send("GET", "/images/get?names=busybox:latest", b"")
    assert saved.headers["Content-Type"] == "application/x-tar"
    assert (await peer.send("GET", "/images/busybox:latest/get", b"")).body == saved.body
    await peer.ask("DELETE", "/images/busybox")
    loaded = await peer.send("POST", "/images/load?quiet=1", saved.body)
    assert loaded.body == b'{"stream":"Loaded image: busybox:latest\\n"}\n'
    assert (await peer.ask("GET", "/images/busybox/json")).status == 200
    missing = await peer.ask("GET", "/images/get?names=nothing")
    assert (missing.status, missing.message) == (404, "No such image: nothing:latest")
    assert (await peer.ask("GET", "/images/get")).status == 400


async def test_what_is_saved_by_its_id_has_no_name(peer: Peer) -> None:
    (listed,) = (await peer.ask("GET", "/images/json")).body
    for name in (listed["Id"], listed["Id"][:20], listed["Id"].removeprefix("sha256:")[:12]):
        saved = await peer.send("GET", f"/images/get?names={name}", b"")
        loaded = await peer.send("POST", "/images/load?quiet=1", saved.body)
        assert loaded.body == b'{"stream":"Loaded image ID: %b\\n"}\n' % listed["Id"].encode()


async def test_a_repository_is_saved_with_all_its_tags(peer: Peer) -> None:
    for tag in ("one", "two"):
        await peer.ask("POST", f"/images/busybox/tag?repo=kept&tag={tag}")
    saved = await peer.send("GET", "/images/get?names=kept", b"")
    loaded = await peer.send("POST", "/images/load?quiet=1", saved.body)
    assert loaded.body == b'{"stream":"Loaded image: kept:one\\n"}\n{"stream":"Loaded image: kept:two\\n"}\n'


async def test_a_container_becomes_an_image(peer: Peer) -> None:
    made = await peer.create("sleep", name="one")
    committed = await peer.ask("POST", "/commit?container=one&repo=new&tag=1&comment=c&author=a&changes=ENV+A=1")
    assert committed.status == 201
    found = (await peer.ask("GET", "/images/new:1/json")).body
    assert (found["Id"], found["Comment"], found["Author"]) == (committed.body["Id"], "c", "a")
    assert "A=1" in found["Config"]["Env"]
    assert (await peer.ask("GET", f"/containers/{made}/json")).status == 200


async def test_images_of_one_second_have_an_order(peer: Peer) -> None:
    await peer.create("sleep", name="one")
    made = []
    for number in range(3):
        peer.world.clock.advance(0.001)
        made.append((await peer.ask("POST", f"/commit?container=one&repo=new&tag={number}")).body["Id"])
    created = (await peer.ask("GET", f"/images/{made[1]}/json")).body["Created"]
    for filters in ({"since": [made[0]], "before": [made[2]]}, {"since": [made[0]], "until": [created, "1s"]}):
        listed = (await peer.ask("GET", f"/images/json?filters={quote(json.dumps(filters))}")).body
        assert [one["Id"] for one in listed] == (made[1:2] if "before" in filters else [])


async def test_names_and_platforms_that_an_image_cannot_have(peer: Peer) -> None:
    refused = await peer.ask("POST", "/images/busybox/tag?repo=sha256&tag=x")
    words = "refusing to create an ambiguous tag using digest algorithm as name"
    assert (refused.status, refused.message) == (400, words)
    refused = await peer.send("POST", "/images/create?fromSrc=-&platform=macos/arm64", b"layer")
    assert (refused.status, json.loads(refused.body)) == (400, {"message": "operating system is not supported"})


async def test_pruning_tells_what_went(peer: Peer) -> None:
    await peer.send("POST", "/images/create?fromSrc=-", b"nameless")
    pruned = (await peer.ask("POST", '/images/prune?filters={"dangling":{"true":true}}')).body
    assert [next(iter(step)) for step in pruned["ImagesDeleted"]] == ["Deleted", "Deleted"]
    assert pruned["SpaceReclaimed"] == len(b"nameless")


async def test_nameless_images_have_their_old_name_for_old_clients(peer: Peer) -> None:
    await peer.send("POST", "/images/create?fromSrc=-", b"nameless")
    older = (await peer.ask("GET", '/images/json?filters={"dangling":["1"]}', version="v1.41")).body
    newer = (await peer.ask("GET", '/images/json?filters={"dangling":["1"]}')).body
    assert (older[0]["RepoTags"], newer[0]["RepoTags"]) == (["<none>:<none>"], [])


@pytest.mark.parametrize(
    ("method", "path", "parameter"),
    [
        ("GET", "/images/busybox/json", "platform"),
        ("GET", "/images/busybox/history", "platform"),
        ("GET", "/images/busybox/get", "platform"),
        ("GET", "/images/get?names=busybox", "platform"),
        ("DELETE", "/images/busybox", "platforms"),
    ],
)
async def test_an_image_has_one_platform_and_may_be_asked_for_it(
    peer: Peer, method: str, path: str, parameter: str
) -> None:
    def asking(platform: str) -> str:
        return f"{path}{'&' if '?' in path else '?'}{parameter}={quote(platform)}"

    other = await peer.ask(method, asking('{"os":"linux","architecture":"s390x"}'))
    assert (other.status, "does not match the specified platform (linux/s390x)" in other.message) == (404, True)
    assert (await peer.ask(method, asking("linux/amd64"))).status == 400
    two = '{"os":"linux","architecture":"amd64"}'
    several = await peer.ask(method, f"{asking(two)}&{parameter}={quote(two)}")
    assert (several.status, several.message) == (400, "multiple platform parameters not supported")
    assert (await peer.ask(method, asking('{"os":"linux","architecture":"amd64"}'))).status == 200


async def test_lists_may_be_asked_for_manifests_of_which_there_are_none(peer: Peer) -> None:
    assert (await peer.ask("GET", "/images/json?manifests=1")).status == 200
    assert (await peer.ask("GET", "/images/busybox/json?manifests=1")).status == 200
    assert (await peer.send("POST", "/images/load?platform=x", b"")).status == 501
