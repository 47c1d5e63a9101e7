"""JSON bodies become structs as Go's decoder makes them, or are refused with the name of the field."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import msgspec
import pytest

from zonehost.api.body import decode
from zonehost.api.json_fault import fault
from zonehost.api.resources.requests import ContainerCreate, NetworkCreate, prepare_container
from zonehost.domain.host_config import PortBinding
from zonehost.errors import InvalidParameter


def create(text: str) -> ContainerCreate:
    return decode(text.encode(), ContainerCreate, prepare_container)


def test_names_are_matched_without_regard_to_case() -> None:
    body = create(
        '{"image": "busybox", "HOSTCONFIG": {"memory": 5, "blkioDeviceReadIOps": [{"path": "/a", "rate": 1}]}}'
    )
    assert body.image == "busybox"
    assert body.host_config.memory == 5
    assert body.host_config.blkio_device_read_iops is not None
    assert body.host_config.blkio_device_read_iops[0].rate == 1


def test_null_is_as_if_it_were_not_there() -> None:
    body = create('{"Env": null, "HostConfig": null, "NetworkingConfig": {"EndpointsConfig": {"a": null}}}')
    assert body.env is None
    assert body.host_config.memory == 0
    assert body.networking_config.endpoints_config == {"a": None}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"HostConfig": {"Binds": ["/a:/b", "/a\\u0000:/b"]}}', "a null byte in field HostConfig.Binds[1]"),
        ('{"Labels": {"a\\u0000": "b"}}', "a null byte in field Labels.a"),
        ('{"HostConfig": {"Memory": 9223372036854775808}}', "number 9223372036854775808 into field HostConfig.Memory"),
        ('{"StopTimeout": -9223372036854775809}', "into field StopTimeout of type int64"),
    ],
)
def test_what_nobody_could_keep_is_refused_by_name(text: str, words: str) -> None:
    with pytest.raises(InvalidParameter) as refused:
        create(text)
    assert words in str(refused.value)


def test_the_largest_number_is_taken() -> None:
    body = create('{"Labels": {"a": "99999999999999999999"}, "HostConfig": {"Memory": 9223372036854775807}}')
    assert body.host_config.memory == (1 << 63) - 1


def test_a_command_may_be_one_word() -> None:
    body = create('{"cmd": "echo hello", "Entrypoint": ["a", "b"]}')
    assert body.cmd == ("echo hello",)
    assert body.entrypoint == ("a", "b")


def test_capabilities_may_be_one_word() -> None:
    body = create('{"HostConfig": {"CapAdd": "NET_ADMIN", "capdrop": ["MKNOD"]}}')
    assert (body.host_config.cap_add, body.host_config.cap_drop) == (("NET_ADMIN",), ("MKNOD",))


def test_keys_of_maps_are_no_field_names() -> None:
    body = create('{"Labels": {"IMAGE": "x"}, "HostConfig": {"PortBindings": {"80/TCP": [{"hostport": "8080"}]}}}')
    assert body.labels == {"IMAGE": "x"}
    assert body.host_config.port_bindings == {"80/TCP": (PortBinding(host_port="8080"),)}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"Nonsense": 1}', "unknown field: Nonsense"),
        ('{"HostConfig": {"Colour": "red"}}', "unknown field: HostConfig.Colour"),
        ('{"HostConfig": {"Mounts": [{"Typ": "bind"}]}}', "unknown field: HostConfig.Mounts[0].Typ"),
        (
            '{"HostConfig": {"PortBindings": {"80/tcp": [{"Port": "1"}]}}}',
            "unknown field: HostConfig.PortBindings.80/tcp[0].Port",
        ),
    ],
)
def test_a_field_that_nobody_knows_is_refused_by_name(text: str, words: str) -> None:
    with pytest.raises(InvalidParameter) as refused:
        create(text)
    assert str(refused.value) == words


def test_an_unknown_field_without_a_value_says_nothing() -> None:
    create('{"PortSpecs": null, "HostConfig": {"Capabilities": [], "Old": "", "Older": 0, "Flag": false, "Map": {}}}')


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"Tty": 1}', "invalid JSON: cannot unmarshal number into field Tty of type bool"),
        (
            '{"HostConfig": {"Memory": "1g"}}',
            "invalid JSON: cannot unmarshal string into field HostConfig.Memory of type number",
        ),
        ('{"Env": "A=1"}', "invalid JSON: cannot unmarshal string into field Env of type array"),
        ('{"HostConfig": []}', "invalid JSON: cannot unmarshal array into field HostConfig of type object"),
        ("[]", "invalid JSON: cannot unmarshal array into a value of type object"),
        ('"x"', "invalid JSON: cannot unmarshal string into a value of type object"),
    ],
)
def test_a_wrong_type_is_named_with_its_field(text: str, words: str) -> None:
    with pytest.raises(InvalidParameter) as refused:
        create(text)
    assert str(refused.value) == words


@pytest.mark.parametrize("text", ["", "{", '{"a": }', "{} {}", "nonsense", "[" * 100_000, '{"Image": "\\ud800"}x'])
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameter, match=r"^invalid JSON"):
        create(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{invalid json", "invalid character 'i' looking for beginning of object key string"),
        ('{"a": 1, }', "invalid character '}' looking for beginning of object key string"),
        ('{"a" 1}', "invalid character '1' after object key"),
        ('{"a": 1 "b": 2}', "invalid character '\"' after object key:value pair"),
        ('{"a": [1 2]}', "invalid character '2' after array element"),
        ('{"a": {"b": "]["} x}', "invalid character 'x' after object key:value pair"),
        ('{"a": }', "invalid character '}' looking for beginning of value"),
        ("nonsense", "invalid character 'o' in literal null (expecting 'u')"),
        ('{"a": "\n"}', "invalid character '\\n' in string literal"),
        ('{"a": "b', "unexpected EOF"),
        ('{"a": ', "unexpected EOF"),
        ("{} x", "unexpected content after JSON"),
        ('{"a": [1, ]}', "invalid character ']' looking for beginning of value"),
        ('{"t": \n x}', "invalid character 'x' looking for beginning of value"),
        ('{"\\\\\\": \n x"}', "invalid character '\\n' in string literal"),
        ('{"a": fals}', "invalid character '}' in literal false (expecting 'e')"),
        ('["t,tru", trx', "invalid character 'x' in literal true (expecting 'u')"),
        ('["t,tru", tr', "unexpected EOF"),
        ("[-x]", "invalid character 'x' in numeric literal"),
        ("[1.]", "invalid character ']' after decimal point in numeric literal"),
        ("[1e+]", "invalid character ']' in exponent of numeric literal"),
        ("[01]", "invalid character '1' after array element"),
        ("[1.", "unexpected EOF"),
        ("[" * 100_000, "exceeded max depth"),
    ],
)
def test_a_fault_is_told_as_go_tells_it(text: str, words: str) -> None:
    with pytest.raises(InvalidParameter) as refused:
        create(text)
    assert str(refused.value) == f"invalid JSON: {words}"


def test_a_fault_is_told_as_go_tells_it_in_bytes_that_are_no_text() -> None:
    with pytest.raises(InvalidParameter, match=r"^invalid JSON: invalid character '1' after object key$"):
        decode(b'{"\xff" 1}', ContainerCreate)


@pytest.mark.parametrize("end", [b" 1}", b":1 2}", b":1,}", b":[1,]}", b":truf}", b":\n x}", b":-x}", b""])
def test_no_fault_is_looked_for_by_characters(end: bytes) -> None:
    """The lines that are run for it are as many as for a short text."""

    def lines_for(text: bytes) -> int:
        with pytest.raises(msgspec.DecodeError) as refused:
            msgspec.json.decode(text)
        lines = 0

        def count(_frame: FrameType, event: str, _argument: object) -> Callable[..., Any]:
            nonlocal lines
            lines += event == "line"
            return count

        before = sys.gettrace()
        sys.settrace(count)
        try:
            fault(text, refused.value)
        finally:
            sys.settrace(before)
        return lines

    assert 0 < lines_for(b'{"' + b"[" * 10_000 + b'"' + end) == lines_for(b'{"a"' + end)


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(InvalidParameter, match=r"^invalid JSON"):
        decode(b'{"Image": "\xff\xfe"}', ContainerCreate)


def test_what_the_docker_command_sends_for_a_network() -> None:
    body = decode(
        b'{"Name":"n","CheckDuplicate":true,"Driver":"bridge","EnableIPv6":false,'
        b'"IPAM":{"Driver":"default","Options":{},"Config":[{"Subnet":"10.1.0.0/24","IPRange":"10.1.0.0/25"}]}}',
        NetworkCreate,
    )
    assert body.ipam.config[0].ip_range == "10.1.0.0/25"
    assert body.enable_ipv6 is False


def test_every_field_of_the_body_can_be_set_by_its_wire_name() -> None:
    """A struct whose names were misspelt would refuse what Docker sends."""
    names = {field.encode_name for field in msgspec.structs.fields(ContainerCreate)}
    assert {"OnBuild", "ArgsEscaped", "HostConfig", "NetworkingConfig", "MacAddress", "StopTimeout"} <= names
