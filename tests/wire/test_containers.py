"""Containers on the wire: every answer is held against the contract by `Peer.ask`."""

from __future__ import annotations

import asyncio

import pytest

from tests.wire.peer import Peer

ZERO = "0001-01-01T00:00:00Z"


async def test_a_container_is_made_listed_inspected_and_removed(peer: Peer) -> None:
    made = await peer.ask("POST", "/containers/create?name=one", {"Image": "busybox", "Cmd": ["echo", "a b"]})
    assert (made.status, made.body["Warnings"]) == (201, [])
    (listed,) = (await peer.ask("GET", "/containers/json?all=1")).body
    assert (listed["Names"], listed["Image"], listed["Command"]) == (["/one"], "busybox", "echo 'a b'")
    assert (listed["State"], listed["Status"]) == ("created", "Created")
    found = (await peer.ask("GET", "/containers/one/json?size=1")).body
    assert found["Id"] == made.body["Id"]
    assert (found["Path"], found["Args"]) == ("echo", ["a b"])
    assert found["State"]["StartedAt"] == found["State"]["FinishedAt"] == ZERO
    assert (found["SizeRw"], found["SizeRootFs"]) == (100, 105)
    assert (await peer.ask("DELETE", "/containers/one")).status == 204
    assert (await peer.ask("GET", "/containers/json?all=1")).body == []


async def test_what_docker_leaves_out_or_sends_as_null_is_so(peer: Peer) -> None:
    await peer.create("echo", name="one")
    found = (await peer.ask("GET", "/containers/one/json")).body
    config, host = found["Config"], found["HostConfig"]
    assert config["Labels"] == {"from": "image"}
    assert not {"Healthcheck", "Shell", "StopSignal", "StopTimeout", "MacAddress", "ExposedPorts"} & set(config)
    assert not {"Mounts", "Tmpfs", "Sysctls", "Annotations", "Init", "KernelMemory"} & set(host)
    assert (host["Binds"], host["CapAdd"], host["Ulimits"], host["Devices"]) == (None, None, [], [])
    assert host["ConsoleSize"] == [0, 0]
    assert (found["ExecIDs"], found["NetworkSettings"]["Ports"], found["Mounts"]) == (None, {}, [])
    assert "SizeRw" not in found


async def test_what_is_asked_is_what_inspect_shows(peer: Peer) -> None:
    asked = {
        "Memory": 67108864,
        "NanoCpus": 500000000,
        "CapAdd": ["CAP_NET_ADMIN"],
        "Binds": ["/srv:/data:ro"],
        "Tmpfs": {"/tmp": "size=64m"},
        "Ulimits": [{"Name": "nofile", "Soft": 10, "Hard": 20}],
        "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3},
        "PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}]},
        "Mounts": [{"Type": "volume", "Source": "vol", "Target": "/v", "VolumeOptions": {"NoCopy": True}}],
        "Init": False,
    }
    await peer.create("echo", name="one", HostConfig=asked, StopTimeout=0, ExposedPorts={"443/tcp": {}})
    found = (await peer.ask("GET", "/containers/one/json")).body
    assert {name: found["HostConfig"][name] for name in asked} == asked
    assert found["Config"]["StopTimeout"] == 0
    mounts = {mount["Destination"]: mount for mount in found["Mounts"]}
    assert mounts["/data"]["RW"] is False
    assert (mounts["/v"]["Name"], mounts["/v"]["Driver"]) == ("vol", "local")


async def test_a_running_container_shows_its_ports_and_networks(peer: Peer) -> None:
    bindings = {"80/tcp": [{"HostPort": "8080"}]}
    await peer.run(
        "sleep", name="web", ExposedPorts={"80/tcp": {}, "443/tcp": {}}, HostConfig={"PortBindings": bindings}
    )
    found = (await peer.ask("GET", "/containers/web/json")).body
    assert found["State"]["Running"] is True
    assert found["NetworkSettings"]["Ports"] == {
        "80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}],
        "443/tcp": None,
    }
    bridge = found["NetworkSettings"]["Networks"]["bridge"]
    assert bridge["IPAddress"] == found["NetworkSettings"]["IPAddress"] != ""
    (listed,) = (await peer.ask("GET", "/containers/json")).body
    assert {"PrivatePort": 443, "Type": "tcp"} in listed["Ports"]
    assert {"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"} in listed["Ports"]
    network = (await peer.ask("GET", "/networks/bridge")).body
    assert network["Containers"][found["Id"]]["IPv4Address"] == f"{bridge['IPAddress']}/16"


async def test_the_words_of_a_status_tell_the_time(peer: Peer) -> None:
    await peer.run("sleep", name="one")
    peer.world.clock.advance(120)
    (listed,) = (await peer.ask("GET", "/containers/json")).body
    assert listed["Status"] == "Up 2 minutes"
    peer.world.clock.advance(7200)
    (listed,) = (await peer.ask("GET", "/containers/json")).body
    assert listed["Status"] == "Up 2 hours"


async def test_a_list_follows_every_change_of_a_container(peer: Peer) -> None:
    await peer.create("sleep", name="one")
    await peer.ask("GET", "/containers/json?all=1")
    await peer.ask("POST", "/containers/one/rename?name=two")
    await peer.ask("POST", "/containers/two/start")
    (listed,) = (await peer.ask("GET", "/containers/json?all=1&size=1")).body
    assert (listed["Names"], listed["State"], listed["SizeRw"]) == (["/two"], "running", 100)


async def test_both_forms_of_filters_are_read(peer: Peer) -> None:
    await peer.create("sleep", name="one")
    await peer.create("sleep", name="two")
    for filters in ('{"name":{"one":true}}', '{"name":["one"]}'):
        (listed,) = (await peer.ask("GET", f"/containers/json?all=1&filters={filters}")).body
        assert listed["Names"] == ["/one"]
    refused = await peer.ask("GET", '/containers/json?filters={"colour":["red"]}')
    assert (refused.status, refused.message) == (400, "invalid filter 'colour'")


async def test_a_container_lives_and_ends(peer: Peer) -> None:
    await peer.run("sleep", name="one")
    assert (await peer.ask("POST", "/containers/one/start")).status == 304
    assert (await peer.ask("POST", "/containers/one/pause")).status == 204
    assert (await peer.ask("GET", "/containers/one/json")).body["State"]["Paused"] is True
    assert (await peer.ask("POST", "/containers/one/unpause")).status == 204
    assert (await peer.ask("POST", "/containers/one/restart?t=1")).status == 204
    assert (await peer.ask("POST", "/containers/one/stop?t=1")).status == 204
    assert (await peer.ask("POST", "/containers/one/stop")).status == 304
    state = (await peer.ask("GET", "/containers/one/json")).body["State"]
    assert (state["Status"], state["ExitCode"]) == ("exited", 143)
    assert (await peer.ask("POST", "/containers/one/kill")).status == 409


async def test_a_wait_is_registered_when_its_head_is_here(peer: Peer) -> None:
    """The docker command starts a container only when it has the head of the answer."""
    made = await peer.create("exit", "7", name="one")
    async with peer.session.post(f"http://d/v1.51/containers/{made}/wait?condition=next-exit") as waiting:
        assert (waiting.status, waiting.headers["Content-Type"]) == (200, "application/json")
        assert (await peer.ask("POST", "/containers/one/start")).status == 204
        assert await waiting.json() == {"StatusCode": 7}
    assert (await peer.ask("POST", "/containers/one/wait")).body == {"StatusCode": 7}
    refused = await peer.ask("POST", "/containers/one/wait?condition=tomorrow")
    assert (refused.status, refused.message) == (400, 'invalid condition: "tomorrow"')


async def test_top_changes_and_update(peer: Peer) -> None:
    await peer.run("sleep", name="one")
    assert (await peer.ask("GET", "/containers/one/top")).body["Titles"] == ["PID", "CMD"]
    assert (await peer.ask("GET", "/containers/one/changes")).body[0] == {"Path": "/etc", "Kind": 0}
    assert (await peer.ask("POST", "/containers/one/update", {"Memory": 64 << 20})).status == 200
    assert (await peer.ask("GET", "/containers/one/json")).body["HostConfig"]["Memory"] == 64 << 20


async def test_stats_have_a_now_and_a_before(peer: Peer) -> None:
    await peer.run("sleep", name="one")
    one_shot = (await peer.ask("GET", "/containers/one/stats?stream=0&one-shot=1")).body
    assert one_shot["preread"] == ZERO
    assert one_shot["cpu_stats"]["online_cpus"] == 2
    assert one_shot["memory_stats"] == {"usage": 1 << 20, "stats": {"anon": 4096, "file": 8192}, "limit": 8 << 30}
    asking = asyncio.create_task(peer.ask("GET", "/containers/one/stats?stream=0"))
    await asyncio.sleep(0.05)
    peer.world.clock.advance(1)
    assert (await asking).body["preread"] != ZERO
    both = await peer.ask("GET", "/containers/one/stats?stream=1&one-shot=1")
    assert (both.status, both.message) == (400, "cannot have stream=true and one-shot=true")


async def test_stats_of_what_does_not_run_are_zero(peer: Peer) -> None:
    await peer.create("sleep", name="one")
    found = (await peer.ask("GET", "/containers/one/stats?stream=0")).body
    assert (found["name"], found["read"], found["pids_stats"]) == ("/one", ZERO, {})


async def test_pruning_tells_what_went(peer: Peer) -> None:
    assert (await peer.ask("POST", "/containers/prune")).body == {"ContainersDeleted": None, "SpaceReclaimed": 0}
    made = await peer.create("sleep")
    assert (await peer.ask("POST", "/containers/prune")).body["ContainersDeleted"] == [made]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("GET", "/containers/none/json", None, 404, "No such container: none"),
        ("POST", "/containers/create", {"Image": "nothing"}, 404, "No such image: nothing:latest"),
        ("POST", "/containers/create?name=%21", {"Image": "busybox"}, 400, "Invalid container name (!), only"),
        ("POST", "/containers/create", {"Image": "busybox", "Colour": "red"}, 400, "unknown field: Colour"),
        ("POST", "/containers/create", {"Image": 5}, 400, "invalid JSON: cannot unmarshal number into field Image"),
        ("POST", "/containers/create", None, 400, "invalid JSON: got EOF while reading request body"),
        ("POST", "/containers/one/resize?h=x&w=1", None, 400, 'invalid resize height "x"'),
        ("POST", "/containers/one/resize?h=&w=1", None, 400, 'invalid resize height "": invalid syntax'),
        ("POST", "/containers/one/resize?h=1&w=-9", None, 400, 'invalid resize width "-9": value out of range'),
        ("POST", "/exec/x/resize?h=1&w=65536", None, 400, 'invalid resize width "65536": value out of range'),
        (
            "POST",
            "/containers/create",
            {"Image": "busybox", "HostConfig": {"Annotations": {"": "a"}}},
            400,
            "invalid Annotations: the empty string is not permitted as an annotation key",
        ),
        ("POST", "/containers/one/attach?stream=1&detachKeys=esc", None, 400, "Invalid detach keys (esc) provided"),
        ("POST", "/containers/one/stop?t=soon", None, 400, 'invalid value for "t"'),
        ("GET", "/containers/one/logs", None, 400, "Bad parameters: you must choose at least one stream"),
        ("GET", "/containers/one/logs?stdout=1&since=then", None, 400, 'invalid value for "since"'),
        ("GET", "/containers/json?limit=x", None, 400, 'invalid value for "limit"'),
    ],
)
async def test_bad_input_is_one_clear_error(
    peer: Peer, method: str, path: str, body: object, status: int, words: str
) -> None:
    await peer.create("sleep", name="one")
    refused = await peer.ask(method, path, body)
    assert (refused.status, refused.message[: len(words)]) == (status, words)
