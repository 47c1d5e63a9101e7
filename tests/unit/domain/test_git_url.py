"""Which addresses are git repositories, and what of them is meant."""

from __future__ import annotations

import pytest

from zonehost.domain.git_url import GitUrl, read_git_url
from zonehost.errors import InvalidParameter

HASH = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://example.com/foo.git", GitUrl(remote="https://example.com/foo.git")),
        ("HTTPS://example.com/foo.git", GitUrl(remote="HTTPS://example.com/foo.git")),
        ("https://example.com/foo.git#release/1.2", GitUrl(remote="https://example.com/foo.git", ref="release/1.2")),
        ("https://h/foo.git#baz/qux:quux/quuz", GitUrl(remote="https://h/foo.git", ref="baz/qux", subdir="quux/quuz")),
        ("https://h/foo.git#:myfolder", GitUrl(remote="https://h/foo.git", subdir="myfolder")),
        ("git://example.com/foo", GitUrl(remote="git://example.com/foo")),
        ("ssh://git@h:22/foo#v1", GitUrl(remote="ssh://git@h:22/foo", ref="v1")),
        ("git@github.com:moby/buildkit", GitUrl(remote="git@github.com:moby/buildkit")),
        ("other@h:moby/buildkit.git#main:d", GitUrl(remote="other@h:moby/buildkit.git", ref="main", subdir="d")),
        ("https://u:p%40ss@h:8/x.git", GitUrl(remote="https://h:8/x.git", login="u:p@ss")),
        ("https://h/x.git?ref=v1&subdir=/d", GitUrl(remote="https://h/x.git", ref="v1", subdir="/d")),
        ("https://h/x.git?tag=v1", GitUrl(remote="https://h/x.git", ref="refs/tags/v1")),
        ("https://h/x.git?branch=refs/heads/b", GitUrl(remote="https://h/x.git", ref="refs/heads/b")),
        (
            "https://h/x.git?keep-git-dir&submodules=0",
            GitUrl(remote="https://h/x.git", keep_git_dir=True, submodules=False),
        ),
        (f"https://h/x.git?checksum={HASH}", GitUrl(remote="https://h/x.git", ref=HASH, checksum=HASH)),
        ("https://h/x.git?commit=0123456#v1", GitUrl(remote="https://h/x.git", ref="v1", checksum="0123456")),
        ("https://example.com/", None),
        ("https://example.com/foo", None),
        ("https://example.com/foo.git/", None),
        ("https://example.com/foo.git.bar", None),
        ("http://github.com/docker/docker.git:#branch", None),
        ("custom.xyz/moby/buildkit.git", None),
        ("github.com/moby/buildkit", None),
        ("./.git", None),
        ("ftp://h/x.git", None),
        ("folder/file@1:2", None),
    ],
)
def test_addresses(text: str, expected: GitUrl | None) -> None:
    assert read_git_url(text) == expected


def test_a_bare_name_is_one_only_where_it_may_be() -> None:
    expected = GitUrl(remote="https://github.com/moby/buildkit", ref="v1")
    assert read_git_url("github.com/moby/buildkit#v1", bare=True) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("https://h/x.git?depth=1", 'unexpected query "depth"'),
        ("https://h/x.git?ref=", 'query "ref" has no value'),
        ("https://h/x.git?ref=a&ref=b", "multiple values"),
        ("https://h/x.git?ref=a#b", 'ref conflicts: "b" vs "a"'),
        ("https://h/x.git?tag=a&branch=a", "ref conflicts"),
        ("https://h/x.git?subdir=a#:b", "subdir conflicts"),
        ("https://h/x.git?submodules=maybe", "invalid submodules value"),
        ("https://h/x.git?checksum=xyz", "invalid checksum"),
    ],
)
def test_what_cannot_be(text: str, reason: str) -> None:
    with pytest.raises(InvalidParameter, match=reason):
        read_git_url(text)


def test_what_is_told_of_one_bears_no_login() -> None:
    url = read_git_url("https://u:secret@h/x.git#main:d")
    assert url is not None
    assert url.shown == "https://h/x.git#main:d"
    assert read_git_url(url.shown) == GitUrl(remote="https://h/x.git", ref="main", subdir="d")


def test_a_commit_is_pinned_and_a_branch_is_not() -> None:
    pinned = [read_git_url(f"https://h/x.git#{HASH}"), read_git_url("https://h/x.git?commit=0123456#main")]
    assert all(url is not None and url.pinned for url in pinned)
    moving = read_git_url("https://h/x.git#main")
    assert moving is not None
    assert not moving.pinned
