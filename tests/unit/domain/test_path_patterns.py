"""Patterns of .dockerignore, as Docker's documentation and its matcher have them."""

from __future__ import annotations

import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zonehost.domain.path_patterns import PatternList, read_ignore_file
from zonehost.errors import InvalidParameter


@pytest.mark.parametrize(
    ("patterns", "path", "matched"),
    [
        (["**"], "file", True),
        (["**"], "a/b", True),
        (["**/"], "a/b", True),
        (["**/**"], "dir/file", True),
        (["dir/**"], "dir/file", True),
        (["dir/**"], "dir", False),
        (["dir"], "dir/a/b", True),
        (["**/dir2/*"], "dir/dir2/file", True),
        (["**/dir2/*"], "dir/dir2/a/b", True),
        (["**/dir2/**"], "dir/dir2/a/b", True),
        (["**file"], "dir/myfile", True),
        (["**/file"], "dir/myfile", False),
        (["**/file"], "file", True),
        (["**.py"], "a/b.py", True),
        (["*.py"], "a/b.py", False),
        (["**/*.txt"], "a/b/c.txt", True),
        (["a**/*.txt"], "a/b/c.txt", True),
        (["a[b-d]e"], "ace", True),
        (["a[b-d]e"], "aae", False),
        (["a[^b-d]e"], "aze", True),
        (["a\\*b"], "a*b", True),
        (["a\\*b"], "acb", False),
        ([".*"], ".foo", True),
        ([".*"], "foo", False),
        (["abc.def"], "abcZdef", False),
        (["a(b)c/def"], "a(b)c/def", True),
        (["?"], "/", False),
        (["file", "!file"], "file", False),
        (["!file", "file"], "file", True),
        (["dir", "!dir/keep"], "dir/keep", False),
        (["dir", "!dir/keep"], "dir/keep/deep", False),
        (["dir", "!dir/keep"], "dir/drop", True),
        (["*", "!*.md", "README*"], "README.md", True),
        (["*", "!README*", "!x"], "README.md", False),
        ([" a ", ""], "a", True),
    ],
)
def test_matches_as_docker(patterns: list[str], path: str, matched: bool) -> None:
    assert PatternList(patterns).matches(path) is matched


@pytest.mark.parametrize("pattern", ["[", "[^", "[a-", "[]a]", "[-]", "[b-a]", "a\\", "!"])
def test_refuses_what_no_pattern_is(pattern: str) -> None:
    with pytest.raises(InvalidParameter):
        PatternList([pattern])


def test_reads_an_ignore_file() -> None:
    data = b"\xef\xbb\xbf# comment\n/abs\n!  /neg \n\n  ./b/../c  \n #not a comment\r\nlast"
    assert read_ignore_file(data) == ["abs", "!neg", "c", "#not a comment", "last"]


NAMES = st.text(alphabet="ab.", min_size=1, max_size=3)
PATHS = st.lists(NAMES.filter(lambda name: name not in (".", "..")), min_size=1, max_size=4).map("/".join)
PATTERNS = st.lists(st.tuples(st.sampled_from(["", "!"]), PATHS, st.sampled_from(["", "/*", "/**"])).map("".join))


@given(PATTERNS, PATHS)
def test_a_walk_down_decides_as_the_whole_path_does(patterns: list[str], path: str) -> None:
    found = PatternList(patterns)
    above: tuple[bool, ...] = ()
    parts = path.split("/")
    for count in range(1, len(parts) + 1):
        here = "/".join(parts[:count])
        matched, above = found.walk(here, above)
        assert matched == found.matches(here)


@given(PATHS)
def test_a_path_is_its_own_pattern(path: str) -> None:
    found = PatternList([path])
    assert found.matches(path)
    assert found.matches(posixpath.join(path, "below"))
