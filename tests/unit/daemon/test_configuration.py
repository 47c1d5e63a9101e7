"""The configuration: what wins over what, and what is refused."""

from __future__ import annotations

import argparse
from ipaddress import IPv4Network
from pathlib import Path

import msgspec
import pytest

from zonehost.cli import serve
from zonehost.daemon.configuration import Configuration, configure
from zonehost.domain.host_config import Ulimit
from zonehost.domain.ipam import Base
from zonehost.errors import InvalidParameter

SAMPLE = Path(__file__).parents[3] / "packaging" / "config.toml"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def test_an_option_wins_over_the_file_and_the_file_over_the_default(file: Path) -> None:
    file.write_text('name = "filed"\ndata-root = "/srv"\n')
    configuration = configure({"name": "said", "data_root": None}, file)
    assert (configuration.name, configuration.data_root, configuration.run_root) == ("said", "/srv", "/run/zonehost")


def test_the_socket_is_in_the_run_root_unless_hosts_are_given(file: Path) -> None:
    file.write_text("")
    assert configure({"run_root": "/run/x"}, file).hosts == ("unix:///run/x/docker.sock",)
    assert configure({"host": ["unix:///a", "tcp://127.0.0.1"]}, file).hosts == ("unix:///a", "tcp://127.0.0.1")


def test_limits_are_read(file: Path) -> None:
    file.write_text('default-ulimit = ["nofile=10:20", "nproc=-1"]\n')
    assert configure({}, file).ulimits == (
        Ulimit(name="nofile", soft=10, hard=20),
        Ulimit(name="nproc", soft=-1, hard=-1),
    )


def test_address_pools_are_read(file: Path) -> None:
    file.write_text('default-address-pool = ["base=10.10.0.0/16,size=24"]\n')
    assert configure({}, file).address_bases == (Base(IPv4Network("10.10.0.0/16"), 24),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nosuch = 1", r'config\.toml: there is no option "nosuch"$'),
        ("debug = 1", r"config\.toml: .*debug"),
        ('name = "a/b"', "a/b"),
        ('name = ""', "name"),
        ('data-root = "relative"', "data-root"),
        ('tlscert = "/a"', "tlscacert"),
        ('default-ulimit = ["nofile"]', "NAME=SOFT"),
        ('publish = "everywhere"', "publish"),
        ('default-address-pool = ["10.0.0.0/8"]', "base=SUBNET"),
        ('default-address-pool = ["base=10.0.0.0/8,size=7"]', "size"),
        ('default-address-pool = ["base=10.0.0.0/8,size=16,colour=red"]', "size"),
        ("stop-timeout = -1", "stop-timeout"),
        ("name = ", "config.toml"),
    ],
)
def test_what_cannot_be_is_refused_by_name(file: Path, text: str, message: str) -> None:
    file.write_text(text)
    with pytest.raises(InvalidParameter, match=message):
        configure({}, file)


def test_a_file_that_is_named_must_be_there(file: Path) -> None:
    with pytest.raises(InvalidParameter, match="no such file"):
        configure({}, file)


def test_the_sample_says_the_defaults() -> None:
    sample = configure({}, SAMPLE)
    assert msgspec.structs.replace(sample, host=()) == Configuration()
    assert sample.hosts == Configuration().hosts


def test_the_command_line_has_every_name_of_the_file() -> None:
    parser = argparse.ArgumentParser()
    serve.add_arguments(parser)
    names = set(vars(parser.parse_args([]))) - {"config"}
    assert names == {field.name for field in msgspec.structs.fields(Configuration)}
