"""Which hosts go by a proxy. The cases are those of golang.org/x/net/http/httpproxy."""

from __future__ import annotations

import pytest

from zonehost.domain.proxies import Proxies, masked

_WORDS = (
    "foobar.com, .barbaz.net, *.wildcard.io, 192.168.1.1, 192.168.1.2:81, 192.168.1.3:80, 10.0.0.0/30,"
    " 2001:db8::52:0:1, [2001:db8::52:0:2]:443, [2001:db8::52:0:3]:80, 2002:db8:a::45/64"
)


@pytest.mark.parametrize(
    ("host", "proxied"),
    [
        ("localhost", False),
        ("127.0.0.1", False),
        ("127.0.0.2", False),
        ("::1", False),
        ("::2", True),
        ("192.168.1.1", False),
        ("192.168.1.2", True),
        ("192.168.1.3", False),
        ("192.168.1.4", True),
        ("10.0.0.2", False),
        ("::ffff:10.0.0.2", False),
        ("2001:db8::52:0:1", False),
        ("2001:db8::52:0:2", True),
        ("2001:db8::52:0:3", False),
        ("2002:db8:a::123", False),
        ("fe80::424b:c8be:1643:a1b6", True),
        ("barbaz.net", True),
        ("www.barbaz.net", False),
        ("foobar.com", False),
        ("FooBar.com", False),
        ("www.foobar.com", False),
        ("foofoobar.com", True),
        ("baz.com", True),
        ("localhost.net", True),
        ("local.localhost", True),
        ("barbarbaz.net", True),
        ("wildcard.io", True),
        ("nested.wildcard.io", False),
        ("awildcard.io", True),
    ],
)
def test_who_is_reached_without(host: str, proxied: bool) -> None:
    assert bool(Proxies(http="proxy", direct=_WORDS).choose("http", host)) is proxied
    assert Proxies(http="proxy", direct="*").choose("http", host) == ""


@pytest.mark.parametrize(
    ("words", "host", "port", "proxied"),
    [
        ("registry.test:5000", "registry.test", 5000, False),
        ("registry.test:5000", "eu.registry.test", 5000, False),
        ("registry.test:5000", "registry.test", None, True),
        ("registry.test:443", "registry.test", None, False),
        (".示例.com", "www.示例.com", None, False),
        ("xn--fsq092h.com", "www.示例.com", None, False),
        ("示例.com", "www.xn--fsq092h.com", None, False),
        ("example.com", "1000::%.example.com", 123, True),
        (":1", "example.com", None, True),
        ("no/network", "example.com", None, True),
        ("", "example.com", None, True),
    ],
)
def test_words_with_ports_and_letters(words: str, host: str, port: int | None, proxied: bool) -> None:
    assert bool(Proxies(https="proxy", direct=words).choose("https", host, port)) is proxied


def test_each_scheme_has_its_own() -> None:
    proxies = Proxies(http="http.proxy.test", https="https://secure.proxy.test:3128")
    assert proxies.choose("http", "registry.test") == "http://http.proxy.test"
    assert proxies.choose("https", "registry.test") == "https://secure.proxy.test:3128"
    assert Proxies(http="127.0.0.1:8080").choose("http", "registry.test") == "http://127.0.0.1:8080"
    assert Proxies(http="http.proxy.test").choose("https", "registry.test") == ""
    assert proxies.choose("ftp", "registry.test") == ""


def test_the_environment_in_both_ways_of_writing() -> None:
    found = Proxies.from_environment({"HTTP_PROXY": "a", "http_proxy": "b", "https_proxy": "c", "NO_PROXY": "d"})
    assert found == Proxies("a", "c", "d")
    assert Proxies.from_environment({}) == Proxies()


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://ada:secret@proxy.test:3128/", "http://xxxxx:xxxxx@proxy.test:3128/"),
        ("http://ada@proxy.test", "http://xxxxx:xxxxx@proxy.test"),
        ("ada:secret@proxy.test:3128", "xxxxx:xxxxx@proxy.test:3128"),
        ("http://ada:p@ss@proxy.test", "http://xxxxx:xxxxx@proxy.test"),
        ("http://proxy.test", "http://proxy.test"),
        ("proxy.test:3128", "proxy.test:3128"),
        ("http://[bad", "http://[bad"),
        ("", ""),
    ],
)
def test_what_is_shown_tells_no_password(address: str, shown: str) -> None:
    assert masked(address) == shown
