"""Query values as Docker reads them."""

from __future__ import annotations

import pytest

from zonehost.api.query import flag, number, timestamp
from zonehost.errors import InvalidParameter

SECOND = 1_000_000_000


@pytest.mark.parametrize("text", ["1", "true", "True", "yes", "on", " t "])
def test_anything_but_a_no_is_yes(text: str) -> None:
    assert flag(text)


@pytest.mark.parametrize("text", ["", "0", "false", "FALSE", "no", "none", " 0 "])
def test_the_words_for_no(text: str) -> None:
    assert not flag(text)


def test_a_number_may_have_a_sign() -> None:
    assert (number("t", "-1"), number("t", "+7"), number("t", "0042")) == (-1, 7, 42)


@pytest.mark.parametrize("text", ["x", "1.5", "", "1e3", "٣", "9223372036854775808"])
def test_what_is_no_64_bit_number_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidParameter, match='invalid value for "limit"'):
        number("limit", text)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("", 0),
        ("0", 0),
        ("1700000000", 1_700_000_000 * SECOND),
        ("1700000000.5", 1_700_000_000 * SECOND + 500_000_000),
        ("1700000000.000000001", 1_700_000_000 * SECOND + 1),
        ("2023-11-14T22:13:20Z", 1_700_000_000 * SECOND),
        ("2023-11-14T22:13:20.123456789Z", 1_700_000_000 * SECOND + 123_456_789),
        ("2023-11-14T23:13:20.25+01:00", 1_700_000_000 * SECOND + 250_000_000),
        ("2023-11-14T22:13:20", 1_700_000_000 * SECOND),
        ("2023-11-14T22:13", 1_699_999_980 * SECOND),
        ("2023-11-14", 1_699_920_000 * SECOND),
    ],
)
def test_moments_are_unix_times_or_rfc_3339(text: str, moment: int) -> None:
    assert timestamp("since", text) == moment


@pytest.mark.parametrize("text", ["yesterday", "2023-13-01", "2023-11-14T25:00:00Z", "1700000000,5"])
def test_what_is_no_moment_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidParameter, match='invalid value for "until"'):
        timestamp("until", text)
