"""Lines of output in the formats of syslog."""

from __future__ import annotations

import pytest

from zonehost.domain.syslog import check_syslog, syslog_message, syslog_target
from zonehost.errors import InvalidParameter, Unsupported

_TIME = 1_700_000_000_123_456_789
_FIELDS = {"ID": "0123456789ab", "Name": "web"}


def message(*, error: bool = False, **options: str) -> bytes:
    named = {name.replace("_", "-"): value for name, value in options.items()}
    return syslog_message(syslog_target(named, _FIELDS, "box"), 42, _TIME, error=error, line=b"hello\n")


def test_the_local_format_names_no_host() -> None:
    assert message() == b"<30>Nov 14 22:13:20 0123456789ab[42]: hello"


def test_errors_have_a_higher_priority() -> None:
    assert message(error=True).startswith(b"<27>")


def test_facilities_by_name_and_number() -> None:
    assert message(syslog_facility="local7").startswith(b"<190>")
    assert message(syslog_facility="23").startswith(b"<190>")


def test_rfc_3164_names_the_host_and_the_tag_is_a_template() -> None:
    wanted = b"<30>Nov 14 22:13:20 box web/0123456789ab[42]: hello"
    assert message(syslog_format="rfc3164", tag="{{.Name}}/{{.ID}}") == wanted


def test_rfc_5424_over_a_stream_counts_its_bytes() -> None:
    sent = message(syslog_format="rfc5424micro", syslog_address="tcp://127.0.0.1:601")
    count, _, body = sent.partition(b" ")
    assert int(count) == len(body)
    assert body == b"<30>1 2023-11-14T22:13:20.123456+00:00 box 0123456789ab 42 0123456789ab - hello"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"syslog-address": "gopher://x"}, "invalid syslog-address"),
        ({"syslog-address": "tcp://x:none"}, "invalid syslog-address"),
        ({"syslog-facility": "nobody"}, "invalid syslog facility"),
        ({"syslog-format": "rfc1"}, "invalid syslog format"),
        ({"tag": "{{.Colour}}"}, "invalid log opt 'tag'"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, str], words: str) -> None:
    with pytest.raises(InvalidParameter, match=words):
        check_syslog(options)


def test_tls_is_refused_by_name() -> None:
    with pytest.raises(Unsupported, match="syslog-address"):
        check_syslog({"syslog-address": "tcp+tls://x:1"})
