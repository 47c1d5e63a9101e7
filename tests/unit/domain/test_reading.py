"""What clients write is read as Docker reads it, or refused in its words."""

from __future__ import annotations

import pytest

from zonehost.domain.filters import Filters
from zonehost.domain.host_config import BindOptions, Mount, PortBinding, TmpfsOptions, VolumeOptions
from zonehost.domain.mount_spec import parse_bind, parse_mount, parse_volumes_from
from zonehost.domain.port_spec import checked_bindings, exposed_ports, parse_ports
from zonehost.domain.reference import parse_reference
from zonehost.domain.signals import parse_signal
from zonehost.errors import InvalidParameter, Unsupported


@pytest.mark.parametrize(
    ("text", "canonical", "familiar"),
    [
        ("busybox", "docker.io/library/busybox:latest", "busybox:latest"),
        ("team/app:1", "docker.io/team/app:1", "team/app:1"),
        ("localhost/app", "localhost/app:latest", "localhost/app:latest"),
        ("host:5000/a/b:x", "host:5000/a/b:x", "host:5000/a/b:x"),
        ("index.docker.io/busybox", "docker.io/library/busybox:latest", "busybox:latest"),
    ],
)
def test_names_of_images(text: str, canonical: str, familiar: str) -> None:
    reference = parse_reference(text).tagged()
    assert (reference.canonical, reference.familiar) == (canonical, familiar)


def test_a_digest_stands_for_itself() -> None:
    reference = parse_reference(f"busybox:1@sha256:{'a' * 64}").tagged()
    assert (reference.tag, reference.digest) == ("1", f"sha256:{'a' * 64}")


@pytest.mark.parametrize("text", ["", "UPPER", "a b", "name:tag:tag", "name:", "name@sha256:12", "-x", "a" * 64])
def test_what_is_no_name_of_an_image(text: str) -> None:
    with pytest.raises(InvalidParameter):
        parse_reference("0123456789abcdef" * 4 if text == "a" * 64 else text)


def test_both_forms_of_filters() -> None:
    cli, library = Filters.parse('{"name":{"a":true,"b":false}}'), Filters.parse('{"name":["a"]}')
    assert cli.get("name") == library.get("name") == ("a",)


@pytest.mark.parametrize(
    ("value", "fits"),
    [("web", True), ("^/web1$", True), ("^web1$", True), ("^eb", False), ("w.*1", True), ("[", False)],
)
def test_filters_by_pattern(value: str, fits: bool) -> None:
    assert Filters({"name": (value,)}).matches_pattern("name", "web1", "/web1") is fits


def test_a_value_that_is_no_pattern_may_be_the_text_itself() -> None:
    assert Filters({"name": ("a[",)}).matches_pattern("name", "a[")


@pytest.mark.parametrize("text", ["[]", "{", '{"a":1}', '"a"'])
def test_junk_is_no_filter(text: str) -> None:
    with pytest.raises(InvalidParameter, match="invalid filter"):
        Filters.parse(text)


def test_filters_by_label() -> None:
    both = Filters({"label": ("a", "b=1")})
    assert both.matches_labels({"a": "", "b": "1"})
    assert not both.matches_labels({"a": "", "b": "2"})
    assert not Filters({"label!": ("a",)}).matches_labels({"a": "x"})
    with pytest.raises(InvalidParameter, match="invalid filter 'colour'"):
        Filters({"colour": ("red",)}).accept(("label",))
    with pytest.raises(InvalidParameter):
        Filters({"dangling": ("maybe",)}).flag("dangling")


@pytest.mark.parametrize(
    ("text", "number"), [("KILL", 9), ("SIGKILL", 9), ("sigterm", 15), ("15", 15), ("RTMIN+3", 37), ("SIGRTMAX-1", 63)]
)
def test_signals(text: str, number: int) -> None:
    assert parse_signal(text) == number


@pytest.mark.parametrize("text", ["", "0", "SIGNAL", "-9", "RTMIN+16"])
def test_what_is_no_signal(text: str) -> None:
    with pytest.raises(InvalidParameter, match="invalid signal"):
        parse_signal(text)


def test_a_signal_that_linux_does_not_have() -> None:
    with pytest.raises(InvalidParameter, match="the linux daemon does not support signal 65"):
        parse_signal("65")


def test_ports_and_ranges() -> None:
    assert [str(port) for port in parse_ports("80-82/udp")] == ["80/udp", "81/udp", "82/udp"]
    assert [str(port) for port in exposed_ports({"80": {}, "80/tcp": {}, "53/UDP": {}})] == ["53/udp", "80/tcp"]
    assert checked_bindings({"80": None, "81/tcp": ()}) == {"80/tcp": (PortBinding(),), "81/tcp": (PortBinding(),)}


@pytest.mark.parametrize(
    ("port", "binding"),
    [
        ("80/icmp", PortBinding()),
        ("70000", PortBinding()),
        ("9-8", PortBinding()),
        ("x", PortBinding()),
        ("80", PortBinding(host_port="70000")),
        ("80", PortBinding(host_port="9-8")),
        ("80", PortBinding(host_port="http")),
        ("80", PortBinding(host_ip="here")),
    ],
)
def test_what_is_no_port(port: str, binding: PortBinding) -> None:
    with pytest.raises(InvalidParameter):
        checked_bindings({port: (binding,)})


def test_a_bind_of_a_host_path() -> None:
    point = parse_bind("/srv/../data:/in:ro,rslave").point
    assert (point.type, point.source, point.destination) == ("bind", "/data", "/in")
    assert (point.writable, point.propagation, point.create_source) == (False, "rslave", True)


def test_a_bind_of_a_volume() -> None:
    point = parse_bind("data:/in:nocopy,z").point
    assert (point.type, point.name, point.driver, point.no_copy) == ("volume", "data", "local", True)
    assert parse_bind("/in").point.anonymous
    assert [parse_bind(text).point.mode for text in ("data:/in", "data:/in:ro", "/in", "/srv:/in")] == [
        "z",
        "ro",
        "",
        "",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (":/in", "invalid volume specification: ':/in'"),
        ("a:b:c:d", "invalid volume specification"),
        ("/in:ro", "invalid volume specification"),
        ("a:/in:colour", "invalid mode: colour"),
        ("a:/in:ro,rw", "invalid mode: ro,rw"),
        ("a:relative", "mount path must be absolute"),
        ("a:/", "destination can't be '/'"),
        ("data:/in:rslave", "field BindOptions must not be specified"),
        ("/data:/in:nocopy", "field VolumeOptions must not be specified"),
    ],
)
def test_what_is_no_bind(text: str, words: str) -> None:
    with pytest.raises(InvalidParameter) as refused:
        parse_bind(text)
    assert words in str(refused.value)


def test_mounts_of_each_type() -> None:
    bind = Mount(type="bind", source="/a", target="/b", read_only=True, bind_options=BindOptions(non_recursive=True))
    assert not parse_mount(bind).point.recursive
    volume = Mount(type="volume", source="v", target="/b", volume_options=VolumeOptions(subpath="x", labels={"k": "w"}))
    ask = parse_mount(volume)
    assert ask.point.subpath == "x" and ask.volume is not None and ask.volume.labels == {"k": "w"}
    tmpfs = Mount(type="tmpfs", target="/b", tmpfs_options=TmpfsOptions(size_bytes=3 << 20, mode=0o700))
    assert parse_mount(tmpfs).point.tmpfs_options == "mode=700,size=3m"
    image = parse_mount(Mount(type="image", source="busybox", target="/b")).point
    assert not image.writable


@pytest.mark.parametrize(
    ("mount", "words"),
    [
        (Mount(type="bind", target="/b"), 'invalid mount config for type "bind": field Source must not be empty'),
        (Mount(type="bind", source="/a"), "field Target must not be empty"),
        (Mount(type="bind", source="a", target="/b"), "mount path must be absolute"),
        (Mount(type="tmpfs", source="/a", target="/b"), "field Source must not be specified"),
        (Mount(type="volume", target="/b", read_only=True), "must not set ReadOnly mode when using anonymous volumes"),
        (Mount(type="bind", source="/a", target="/b", tmpfs_options=TmpfsOptions()), "TmpfsOptions must not be"),
        (Mount(type="volume", target="/b", volume_options=VolumeOptions(subpath="x")), "anonymous volumes"),
        (Mount(type="volume", source="v", target="/b", volume_options=VolumeOptions(subpath="../x")), "relative path"),
        (Mount(type="colour", target="/b"), "mount type unknown"),
        (
            Mount(type="bind", source="/a", target="/b", bind_options=BindOptions(propagation="x")),
            "propagation mode: x",
        ),
    ],
)
def test_what_is_no_mount(mount: Mount, words: str) -> None:
    with pytest.raises(InvalidParameter) as refused:
        parse_mount(mount)
    assert words in str(refused.value)


def test_a_mount_of_other_systems() -> None:
    with pytest.raises(Unsupported, match="npipe"):
        parse_mount(Mount(type="npipe", source="a", target="/b"))


def test_volumes_of_others() -> None:
    assert parse_volumes_from("box") == ("box", True)
    assert parse_volumes_from("box:ro") == ("box", False)
    with pytest.raises(InvalidParameter, match="invalid mode: nocopy"):
        parse_volumes_from("box:nocopy")
