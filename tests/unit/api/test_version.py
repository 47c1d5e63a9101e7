"""Versions in paths."""

from __future__ import annotations

import pytest

from zonehost.api.version import MAXIMUM, Version, split
from zonehost.errors import InvalidParameter


def test_a_path_without_a_version_is_the_newest() -> None:
    assert split("/containers/json") == (MAXIMUM, "/containers/json")


def test_versions_are_compared_as_numbers() -> None:
    assert split("/v1.41/info") == (Version(1, 41), "/info")
    assert Version(1, 9) < Version(1, 24) < (1, 42)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/v1.23/info", "client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade"),
        ("/v1/info", "client version 1 is too old."),
        ("/v1.52/info", "client version 1.52 is too new. Maximum supported API version is 1.51"),
        ("/v2.0/info", "client version 2.0 is too new."),
    ],
)
def test_other_versions_are_refused_in_dockers_words(path: str, words: str) -> None:
    with pytest.raises(InvalidParameter, match=words):
        split(path)


def test_a_path_that_only_begins_like_a_version_is_left_alone() -> None:
    assert split("/volumes") == (MAXIMUM, "/volumes")
    assert split("/v1.41") == (MAXIMUM, "/v1.41")
