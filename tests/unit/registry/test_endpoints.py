"""Where a registry's host is looked for, and how a challenge and a platform are read."""

from __future__ import annotations

import pytest

from zonehost.domain.platform import Platform, machine_platform, parse_platform
from zonehost.drivers.registry.challenge import Challenge, read_challenges
from zonehost.drivers.registry.endpoints import RegistryPolicy
from zonehost.drivers.registry.known import KnownBlobs
from zonehost.errors import InvalidParameter
from zonehost.ports.registry import Descriptor, Repository


@pytest.mark.parametrize(
    ("host", "insecure"),
    [
        ("localhost", True),
        ("localhost:5000", True),
        ("127.0.0.1:5000", True),
        ("127.9.9.9", True),
        ("[::1]:5000", True),
        ("registry.example", False),
        ("127.0.0.1.example", False),
        ("10.1.2.3:5000", True),
        ("10.2.2.3", False),
        ("named.example:5000", True),
        ("named.example:5001", False),
        ("whole.example:1", True),
    ],
)
def test_only_named_hosts_and_loopback_are_insecure(host: str, insecure: bool) -> None:
    policy = RegistryPolicy(insecure=("10.1.0.0/16", "named.example:5000", "whole.example"))
    assert policy.is_insecure(host) is insecure
    endpoints = policy.endpoints(host, pull=True)
    assert endpoints[0].url == f"https://{host}"
    assert endpoints[0].verify is not insecure
    assert [endpoint.plain for endpoint in endpoints[1:]] == [True] * insecure


def test_mirrors_serve_pulls_of_the_hub_only() -> None:
    policy = RegistryPolicy(mirrors=("https://mirror.example/",))
    hub = "https://registry-1.docker.io"
    assert [endpoint.url for endpoint in policy.endpoints("docker.io", pull=True)] == ["https://mirror.example", hub]
    assert [endpoint.url for endpoint in policy.endpoints("docker.io", pull=False)] == [hub]
    assert [endpoint.url for endpoint in policy.endpoints("quay.io", pull=True)] == ["https://quay.io"]


def test_reads_challenges() -> None:
    headers = ['Bearer realm="https://a/t?x=1",service="a b",scope="r:x:pull,push", Basic realm="q\\"q"', "Negotiate"]
    assert read_challenges(headers) == [
        Challenge("bearer", {"realm": "https://a/t?x=1", "service": "a b", "scope": "r:x:pull,push"}),
        Challenge("basic", {"realm": 'q"q'}),
        Challenge("negotiate", {}),
    ]


HOST = Platform("linux", "amd64")


@pytest.mark.parametrize(
    ("text", "platform"),
    [
        ("linux/amd64", HOST),
        ("linux", HOST),
        ("arm64", Platform("linux", "arm64")),
        ("linux/arm/v6", Platform("linux", "arm", "v6")),
        ("Linux/aarch64", Platform("linux", "arm64")),
        ("windows/amd64", Platform("windows", "amd64")),
        ("macos/x86_64", Platform("darwin", "amd64")),
        ("windows(10.0.17763)/amd64", Platform("windows", "amd64")),
    ],
)
def test_reads_platforms(text: str, platform: Platform) -> None:
    assert parse_platform(text, HOST) == platform


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", '"" is an invalid OS component of ""'),
        ("/", '"" is an invalid OS component of "/"'),
        ("a b", '"a b" is an invalid OS component of "a b"'),
        ("linux/", '"" is an invalid component of "linux/"'),
        ("a/b/c/d", '"a/b/c/d": cannot parse platform specifier'),
        ("foobar", '"foobar": unknown operating system or architecture'),
    ],
)
def test_refuses_what_is_no_platform(text: str, words: str) -> None:
    with pytest.raises(InvalidParameter) as refused:
        parse_platform(text, HOST)
    assert str(refused.value).startswith(words)


def test_a_usual_variant_need_not_be_said() -> None:
    assert Platform("linux", "arm64").runs(Platform("linux", "arm64", "v8"))
    assert not Platform("linux", "arm", "v6").runs(Platform("linux", "arm", "v7"))
    assert machine_platform("armv6l") == Platform("linux", "arm", "v6")


def test_known_blobs_survive_and_tolerate_a_cut_line(tmp_path: object) -> None:
    path = f"{tmp_path}/state/known"
    here, there = Repository("r", "a"), Repository("r", "b")
    blob = Descriptor("type", "sha256:1", 5)
    known = KnownBlobs(path)
    known.add("layer", here, blob)
    known.add("layer", there, blob)
    known.add("layer", here, blob)
    with open(path, "ab") as file:
        file.write(b'{"diff_id": "cut')
    again = KnownBlobs(path)
    assert again.find("layer", "r") == [(there, blob), (here, blob)]
    assert again.find("layer", "other") == []
