"""Options of the frontend: obeyed, or refused by name."""

from __future__ import annotations

import pytest

from zonehost.api.buildkit.export import read_export
from zonehost.api.buildkit.messages import CacheEntry, Exporter
from zonehost.api.buildkit.options import Options, read_options
from zonehost.domain.host_config import HostConfig, Ulimit
from zonehost.errors import InvalidParameter, Unsupported, ZonehostError


def test_what_is_obeyed() -> None:
    assert read_options({}) == Options()
    options = read_options(
        {
            "filename": "D",
            "dockerfilekey": "other",
            "target": "t",
            "platform": "linux/amd64",
            "build-arg:A": "1",
            "build-arg:BUILDKIT_INLINE_CACHE": "1",
            "label:l": "v",
            "no-cache": "One,two",
            "image-resolve-mode": "pull",
            "force-network-mode": "none",
            "add-hosts": "h=10.0.0.1,six=::1",
            "ulimit": "nofile=10:20,core=0",
            "shm-size": "4096",
            "cgroup-parent": "/p",
            "cache-imports": '[{"Type":"registry","Attrs":{"ref":"one"}},{"Type":"inline"}]',
            "cache-from": "three",
            "context:c": "docker-image://busybox",
            "local-sessionid:context": "s",
            "frontend.caps": "moby.buildkit.frontend.contexts+forward",
            "vcs:revision": "abc",
        },
        (CacheEntry(type="registry", attrs={"ref": "two"}),),
    )
    assert options == Options(
        filename="D",
        dockerfile_tree="other",
        target="t",
        platform="linux/amd64",
        arguments={"A": "1", "BUILDKIT_INLINE_CACHE": "1"},
        labels={"l": "v"},
        uncached=frozenset({"one", "two"}),
        pull=True,
        network="none",
        host_config=HostConfig(
            shm_size=4096,
            ulimits=(Ulimit(name="nofile", soft=10, hard=20), Ulimit(name="core", soft=0, hard=0)),
            extra_hosts=("h:10.0.0.1", "six:::1"),
            cgroup_parent="/p",
        ),
        cache_from=("three", "two", "one"),
        contexts={"c": "docker-image://busybox"},
        sessions={"context": "s"},
    )


def test_an_empty_no_cache_means_all_stages() -> None:
    assert read_options({"no-cache": ""}).no_cache


@pytest.mark.parametrize(
    ("attributes", "kind", "words"),
    [
        ({"hostname": "h"}, Unsupported, "the option hostname"),
        ({"attest:sbom": ""}, Unsupported, "the option attest:sbom"),
        ({"platform": "linux/amd64,linux/arm64"}, Unsupported, "several platforms"),
        ({"multi-platform": "true"}, Unsupported, "several platforms"),
        ({"build-arg:BUILDKIT_SYNTAX": "x"}, Unsupported, "BUILDKIT_SYNTAX"),
        ({"requestid": "frontend.lint"}, Unsupported, "frontend.lint"),
        ({"frontend.caps": "moby.other"}, Unsupported, "moby.other"),
        ({"cache-imports": '[{"Type":"s3"}]'}, Unsupported, "cache type s3"),
        ({"cache-imports": "x"}, InvalidParameter, "cache-imports"),
        ({"image-resolve-mode": "never"}, InvalidParameter, "image-resolve-mode: never"),
        ({"force-network-mode": "n1"}, InvalidParameter, "force-network-mode: n1"),
        ({"shm-size": "big"}, InvalidParameter, "shm-size: big"),
        ({"ulimit": "nofile=x"}, InvalidParameter, "ulimit: nofile=x"),
    ],
)
def test_what_is_refused(attributes: dict[str, str], kind: type[ZonehostError], words: str) -> None:
    with pytest.raises(kind, match=words):
        read_options(attributes)


def test_exporters() -> None:
    export = read_export(1, Exporter(type="moby", attrs={"name": "a:1,b", "push": "true"}))
    assert (export.number, export.type, export.names) == (1, "moby", ("a:1", "b"))
    assert read_export(0, Exporter(type="local")).names == ()
    with pytest.raises(Unsupported, match="the exporter oci"):
        read_export(0, Exporter(type="oci"))
    with pytest.raises(Unsupported, match="the attribute compression of the exporter moby"):
        read_export(0, Exporter(type="moby", attrs={"compression": "zstd"}))
    with pytest.raises(InvalidParameter, match="digest"):
        read_export(0, Exporter(type="moby", attrs={"name": f"a@sha256:{'0' * 64}"}))
