"""What clients of older APIs ask for means what it meant then."""

from __future__ import annotations

from typing import Any

import pytest

from tests.wire.peer import Peer

BIND: dict[str, Any] = {"Type": "bind", "Source": "/etc", "Target": "/e", "ReadOnly": True}


@pytest.mark.parametrize(
    ("body", "version", "words"),
    [
        (
            {"NetworkingConfig": {"EndpointsConfig": {"n2": {}, "n1": {}}}},
            "v1.43",
            "Container cannot be created with multiple network endpoints: n1, n2",
        ),
        (
            {"HostConfig": {"Mounts": [{**BIND, "BindOptions": {"ReadOnlyForceRecursive": True}}]}},
            "v1.43",
            "BindOptions.ReadOnlyForceRecursive needs API v1.44 or newer",
        ),
        (
            {
                "HostConfig": {
                    "Mounts": [{"Type": "volume", "Source": "v", "Target": "/v", "VolumeOptions": {"Subpath": "s"}}]
                }
            },
            "v1.44",
            "VolumeOptions.Subpath needs API v1.45 or newer",
        ),
        (
            {"HostConfig": {"Mounts": [{"Type": "image", "Source": "busybox", "Target": "/i"}]}},
            "v1.47",
            'Mount type "Image" needs API v1.48 or newer',
        ),
    ],
)
async def test_what_would_do_harm_if_it_were_dropped_is_refused(
    peer: Peer, body: dict[str, Any], version: str, words: str
) -> None:
    refused = await peer.ask("POST", "/containers/create", {"Image": "busybox", **body}, version=version)
    assert (refused.status, refused.message) == (400, words)


async def test_fields_that_a_version_did_not_have_are_none(peer: Peer) -> None:
    asked = {
        "Image": "busybox",
        "Healthcheck": {"Test": ["CMD", "true"], "StartInterval": 5_000_000_000},
        "HostConfig": {
            "AutoRemove": True,
            "ConsoleSize": [10, 20],
            "Annotations": {"a": "b"},
            "Mounts": [{**BIND, "VolumeOptions": {"NoCopy": True}, "BindOptions": {"NonRecursive": True}}],
        },
    }
    made = await peer.ask("POST", "/containers/create?name=old&platform=none/none", asked, version="v1.24")
    assert made.status == 201
    found = (await peer.ask("GET", "/containers/old/json")).body
    host = found["HostConfig"]
    assert (host["AutoRemove"], host["ConsoleSize"], host["IpcMode"]) == (False, [0, 0], "shareable")
    assert "Annotations" not in host
    (mount,) = host["Mounts"]
    assert mount == {**BIND, "BindOptions": {"ReadOnlyNonRecursive": True}}
    assert "StartInterval" not in found["Config"]["Healthcheck"]


async def test_a_pids_limit_is_not_changed_by_those_who_do_not_know_of_it(peer: Peer) -> None:
    await peer.create("sleep", name="one", HostConfig={"PidsLimit": 7})
    await peer.ask("POST", "/containers/one/update", {"PidsLimit": 9}, version="v1.39")
    assert (await peer.ask("GET", "/containers/one/json")).body["HostConfig"]["PidsLimit"] == 7
    await peer.ask("POST", "/containers/one/update", {"PidsLimit": 9}, version="v1.40")
    assert (await peer.ask("GET", "/containers/one/json")).body["HostConfig"]["PidsLimit"] == 9


async def test_annotations_are_listed_for_those_who_know_of_them(peer: Peer) -> None:
    await peer.create("sleep", name="one", HostConfig={"Annotations": {"a": "b"}})
    for version, shown in (("v1.45", None), ("v1.46", {"a": "b"})):
        (listed,) = (await peer.ask("GET", "/containers/json?all=1", version=version)).body
        assert listed["HostConfig"].get("Annotations") == shown


async def test_info_has_what_a_version_had(peer: Peer) -> None:
    older = (await peer.ask("GET", "/info", version="v1.48")).body
    assert older["RuncCommit"]["Expected"] == older["RuncCommit"]["ID"]
    assert (older["BridgeNfIptables"], older["BridgeNfIp6tables"]) == (False, False)
    assert "FirewallBackend" not in older
    newer = (await peer.ask("GET", "/info")).body
    assert "Expected" not in newer["RuncCommit"]
    assert "BridgeNfIptables" not in newer
    assert newer["FirewallBackend"] == {"Driver": "nftables"}
