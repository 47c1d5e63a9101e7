"""Users and groups from the files of a root."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from zonehost.errors import InvalidParameter
from zonehost.linux.accounts import Account, find

_PASSWD = (
    """root:x:0:0:root:/root:/bin/sh
ann:x:1000:1001:Ann:/home/ann:/bin/sh
# a comment
broken line
odd:x:not:numbers:::
7:x:70:71::/seven:
"""
    + f"long:x:{'9' * 5000}:1:::\nlonger:x:1:{'9' * 5000}:::\n"
)
_GROUP = "root:x:0:\nann:x:1001:\nwheel:x:10:root,ann\ngames:x:60:ann\n"


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text(_PASSWD)
    (tmp_path / "etc/group").write_text(_GROUP)
    fd = os.open(tmp_path, os.O_PATH)
    yield fd
    os.close(fd)


@pytest.mark.parametrize(
    ("user", "groups", "account"),
    [
        ("", (), Account(0, 0, (0, 10), "/root")),
        ("root", (), Account(0, 0, (0, 10), "/root")),
        ("ann", (), Account(1000, 1001, (1001, 10, 60), "/home/ann")),
        ("1000", (), Account(1000, 1001, (1001, 10, 60), "/home/ann")),
        ("ann:wheel", (), Account(1000, 10, (10,), "/home/ann")),
        ("ann:55", (), Account(1000, 55, (55,), "/home/ann")),
        ("ann:55:x", (), Account(1000, 55, (55,), "/home/ann")),
        ("2000", (), Account(2000, 0, (0,), "/")),
        ("2000:2001", ("games", "3000"), Account(2000, 2001, (2001, 60, 3000), "/")),
        ("7", (), Account(70, 71, (71,), "/seven")),
    ],
)
def test_a_user_is_found_as_docker_finds_it(root: int, user: str, groups: tuple[str, ...], account: Account) -> None:
    assert find(root, user, groups) == account


@pytest.mark.parametrize(
    ("user", "groups", "message"),
    [
        ("bob", (), "unable to find user bob: no matching entries in passwd file"),
        ("odd", (), "unable to find user odd: no matching entries in passwd file"),
        ("long", (), "unable to find user long: no matching entries in passwd file"),
        ("longer", (), "unable to find user longer: no matching entries in passwd file"),
        ("9" * 5000, (), "uids and gids must be in range 0-2147483647"),
        ("ann:nobody", (), "unable to find group nobody: no matching entries in group file"),
        ("ann", ("nobody",), "Unable to find group nobody: no matching entries in group file"),
        ("4294967296", (), "uids and gids must be in range 0-2147483647"),
        ("-5", (), "uids and gids must be in range 0-2147483647"),
    ],
)
def test_an_unknown_user_or_group_is_refused(root: int, user: str, groups: tuple[str, ...], message: str) -> None:
    with pytest.raises(InvalidParameter, match=message):
        find(root, user, groups)


def test_numbers_do_without_files(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_PATH)
    assert find(fd, "5:6") == Account(5, 6, (6,), "/")
    assert find(fd, "") == Account(0, 0, (0,), "/")
    with pytest.raises(InvalidParameter, match="unable to find user root: no matching entries in passwd file"):
        find(fd, "root")
    os.close(fd)


def test_files_that_are_no_files_are_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    os.mkfifo(tmp_path / "etc/passwd")
    (tmp_path / "etc/group").symlink_to("/etc/group")
    fd = os.open(tmp_path, os.O_PATH)
    assert find(fd, "0") == Account(0, 0, (0,), "/")
    os.close(fd)
