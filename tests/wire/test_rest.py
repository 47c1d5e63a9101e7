"""Volumes, networks, files, the host itself, and what is refused, on the wire."""

from __future__ import annotations

import base64
import json

import pytest

from tests.wire.peer import Peer

NO_SWARM = (
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm '
    "and try again."
)


async def test_a_volume_is_made_listed_used_and_removed(peer: Peer) -> None:
    made = await peer.ask("POST", "/volumes/create", {"Name": "data", "Labels": {"a": "b"}})
    assert (made.status, made.body["Mountpoint"], made.body["Scope"]) == (201, "/pool/volumes/data/_data", "local")
    assert (await peer.ask("GET", "/volumes/data")).body == made.body
    listed = (await peer.ask("GET", '/volumes?filters={"label":["a=b"]}')).body
    assert [volume["Name"] for volume in listed["Volumes"]] == ["data"]
    await peer.create("sleep", name="one", HostConfig={"Binds": ["data:/d"]})
    assert (await peer.ask("DELETE", "/volumes/data")).status == 409
    await peer.ask("DELETE", "/containers/one")
    assert (await peer.ask("DELETE", "/volumes/data")).status == 204
    assert (await peer.ask("GET", "/volumes/data")).status == 404


async def test_named_volumes_are_pruned_only_for_old_clients_or_if_asked(peer: Peer) -> None:
    await peer.ask("POST", "/volumes/create", {"Name": "data"})
    assert (await peer.ask("POST", "/volumes/prune")).body["VolumesDeleted"] is None
    assert (await peer.ask("POST", "/volumes/prune", version="v1.41")).body["VolumesDeleted"] == ["data"]


async def test_volumes_of_a_cluster_are_refused(peer: Peer) -> None:
    assert (await peer.ask("POST", "/volumes/create", {"ClusterVolumeSpec": {"Group": "g"}})).status == 501
    assert (await peer.ask("PUT", "/volumes/data?version=1", {})).message == NO_SWARM


async def test_a_network_is_made_joined_left_and_removed(peer: Peer) -> None:
    pool = {"Subnet": "10.77.0.0/24", "Gateway": "10.77.0.1", "AuxiliaryAddresses": {"router": "10.77.0.9"}}
    body = {"Name": "net", "CheckDuplicate": True, "IPAM": {"Config": [pool]}, "Labels": {"a": "b"}, "Internal": True}
    made = await peer.ask("POST", "/networks/create", body)
    assert (made.status, made.body["Warning"]) == (201, "")
    found = (await peer.ask("GET", f"/networks/{made.body['Id'][:12]}")).body
    assert (found["IPAM"]["Config"], found["Internal"], found["Labels"]) == ([pool], True, {"a": "b"})
    await peer.run("sleep", name="one")
    settings = {"Aliases": ["alias"], "IPAMConfig": {"IPv4Address": "10.77.0.50"}}
    assert (
        await peer.ask("POST", "/networks/net/connect", {"Container": "one", "EndpointConfig": settings})
    ).status == 200
    joined = (await peer.ask("GET", "/containers/one/json")).body["NetworkSettings"]["Networks"]["net"]
    assert (joined["IPAddress"], joined["IPAMConfig"]) == ("10.77.0.50", {"IPv4Address": "10.77.0.50"})
    assert joined["Aliases"] == ["alias"]
    assert {"one", "alias"} <= set(joined["DNSNames"])
    older = (await peer.ask("GET", "/containers/one/json", version="v1.41")).body
    assert older["Id"][:12] in older["NetworkSettings"]["Networks"]["net"]["Aliases"]
    assert (await peer.ask("DELETE", "/networks/net")).status == 403
    assert (await peer.ask("POST", "/networks/net/disconnect", {"Container": "one", "Force": True})).status == 200
    assert (await peer.ask("DELETE", "/networks/net")).status == 204


async def test_networks_are_listed_without_their_members(peer: Peer) -> None:
    await peer.run("sleep")
    listed = (await peer.ask("GET", "/networks")).body
    assert {network["Name"] for network in listed} == {"bridge", "host", "none"}
    assert [network["Containers"] for network in listed] == [{}, {}, {}]
    assert (await peer.ask("POST", "/networks/prune")).body == {"NetworksDeleted": None}


async def test_files_are_looked_at_read_and_written(peer: Peer) -> None:
    await peer.create("sleep", name="one")
    looked = await peer.send("HEAD", "/containers/one/archive?path=/etc/hostname", b"")
    stat = json.loads(base64.b64decode(looked.headers["X-Docker-Container-Path-Stat"]))
    assert stat == {
        "name": "hostname",
        "size": 5,
        "mode": 0o644,
        "mtime": "2023-11-14T22:13:20Z",
        "linkTarget": "",
    }
    read = await peer.send("GET", "/containers/one/archive?path=/etc/hostname", b"")
    assert (read.headers["Content-Type"], read.body) == ("application/x-tar", b"zone\n")
    assert read.headers["X-Docker-Container-Path-Stat"] == looked.headers["X-Docker-Container-Path-Stat"]
    assert (await peer.send("PUT", "/containers/one/archive?path=/etc", b"new")).status == 200
    assert (await peer.send("GET", "/containers/one/export", b"")).body == b"zone\nnew"
    missing = await peer.ask("GET", "/containers/one/archive?path=/nothing")
    assert (missing.status, missing.message[:33]) == (404, "Could not find the file /nothing ")
    assert (await peer.ask("GET", "/containers/one/archive")).status == 400


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_ping_tells_what_clients_need_to_know(peer: Peer, method: str) -> None:
    async with peer.session.request(method, "http://d/_ping") as pong:
        assert (pong.status, await pong.read()) == (200, b"OK" if method == "GET" else b"")
        assert {
            name: pong.headers[name] for name in ("Api-Version", "Ostype", "Swarm", "Builder-Version", "Pragma")
        } == {
            "Api-Version": "1.51",
            "Ostype": "linux",
            "Swarm": "inactive",
            "Builder-Version": "2",
            "Pragma": "no-cache",
        }
        assert pong.headers["Content-Type"] == "text/plain; charset=utf-8"


async def test_version_and_info(peer: Peer) -> None:
    version = (await peer.ask("GET", "/version")).body
    assert (version["ApiVersion"], version["MinAPIVersion"], version["Arch"]) == ("1.51", "1.24", "amd64")
    assert [part["Name"] for part in version["Components"]] == ["Engine", "crun", "conmon"]
    await peer.run("sleep")
    info = (await peer.ask("GET", "/info")).body
    assert (info["Containers"], info["ContainersRunning"], info["Images"]) == (1, 1, 1)
    assert (info["Plugins"]["Network"], info["FirewallBackend"]["Driver"]) == (
        ["bridge", "host", "macvlan", "null"],
        "nftables",
    )
    assert (info["Name"], info["Driver"], info["CgroupVersion"]) == ("paper", "memory", "2")


async def test_disk_usage_is_of_what_is_asked(peer: Peer) -> None:
    await peer.create("sleep", name="one", HostConfig={"Binds": ["data:/d"]})
    every = (await peer.ask("GET", "/system/df")).body
    assert [len(every[kind]) for kind in ("Images", "Containers", "Volumes", "BuildCache")] == [1, 1, 1, 0]
    assert every["Volumes"][0]["UsageData"] == {"Size": 100, "RefCount": 1}
    some = (await peer.ask("GET", "/system/df?type=volume&type=image")).body
    assert (some["Containers"], len(some["Images"])) == (None, 1)
    assert (await peer.ask("GET", "/system/df?type=dust")).status == 400


async def test_credentials_are_checked(peer: Peer) -> None:
    right = await peer.ask("POST", "/auth", {"username": "u", "password": "right", "serveraddress": "r.example"})
    assert right.body == {"Status": "Login Succeeded", "IdentityToken": ""}
    assert (await peer.ask("POST", "/auth", {"username": "u", "password": "wrong"})).status == 401


async def test_events_that_end_before_they_begin_are_refused(peer: Peer) -> None:
    refused = await peer.ask("GET", "/events?since=20&until=10")
    assert (refused.status, refused.message) == (400, "`since` time (20) cannot be after `until` time (10)")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/swarm"),
        ("GET", "/nodes"),
        ("GET", "/nodes/self"),
        ("GET", "/services?status=true"),
        ("POST", "/services/create"),
        ("GET", "/tasks"),
        ("GET", "/secrets"),
        ("DELETE", "/configs/x"),
    ],
)
async def test_a_host_in_no_swarm_says_so(peer: Peer, method: str, path: str) -> None:
    answer = await peer.ask(method, path)
    assert (answer.status, answer.message) == (503, NO_SWARM)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/swarm/init", 501),
        ("POST", "/swarm/leave", 503),
        ("GET", "/plugins/x/json", 404),
        ("POST", "/plugins/pull?remote=x", 501),
    ],
)
async def test_what_zonehost_does_not_do_is_refused(peer: Peer, method: str, path: str, status: int) -> None:
    assert (await peer.ask(method, path)).status == status


async def test_there_are_no_plugins(peer: Peer) -> None:
    assert (await peer.ask("GET", "/plugins")).body == []
