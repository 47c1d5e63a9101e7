"""Shell words: the table is Docker's documented behaviour; the properties hold for any text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zonehost.builder.faults import SyntaxFault
from zonehost.builder.words import Style, expand

VARIABLES = {"PWD": "/home", "SHELL": "bash", "KOREAN": "한국어", "NULL": "", "FILE": "a.tar.gz", "V": "a-b-c-b"}


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("hello", "hello"),
        ("he'll'o", "hello"),
        ("he'$PWD'o", "he$PWDo"),
        ("'hello\\there'", "hello\\there"),
        ('"hello\\"there"', 'hello"there'),
        ('"$PWD"', "/home"),
        ('"\\$PWD"', "$PWD"),
        ('"a\\b"', "a\\b"),
        ("he\\'llo", "he'llo"),
        ("hello\\", "hello"),
        ("hello$PWD", "hello/home"),
        ("hello$PWD.txt", "hello/home.txt"),
        ("hello${PWD}x", "hello/homex"),
        ("$", "$"),
        ("he$,llo", "he$,llo"),
        ("he$1llo", "hello"),
        ("he\\$PWD", "he$PWD"),
        ("$KOREAN", "한국어"),
        ("${NOPE:-xx}", "xx"),
        ("${NOPE-xx}", "xx"),
        ("${NULL:-xx}", "xx"),
        ("${NULL-xx}", ""),
        ("${PWD:-xx}", "/home"),
        ("${PWD:+xx}", "xx"),
        ("${NULL:+xx}", ""),
        ("${NULL+xx}", "xx"),
        ("${NOPE:-${PWD}/y}", "/home/y"),
        ("${NOPE:-'a b'}", "a b"),
        ("${PWD:?no}", "/home"),
        ("${FILE#*.}", "tar.gz"),
        ("${FILE##*.}", "gz"),
        ("${FILE%.*}", "a.tar"),
        ("${FILE%%.*}", "a"),
        ("${FILE#x}", "a.tar.gz"),
        ("${V/b/X}", "a-X-c-b"),
        ("${V//b/X}", "a-X-c-X"),
        ("${V//b/}", "a--c-"),
        ("${V/b*/X}", "a-X"),
        ("${PWD//\\//_}", "_home"),
        ("${V//*/X}", "X"),
        ("${V/?-/X}", "Xb-c-b"),
    ],
)
def test_expands_as_docker(word: str, text: str) -> None:
    assert expand(word, VARIABLES).text == text


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("'hello", "matching single-quote"),
        ('"hello', "matching double-quote"),
        ("${", "missing '}'"),
        ("${PWD", "unsupported modifier ()"),
        ("${PWD:-x", "missing '}'"),
        ("${}", "bad substitution"),
        ("${{PWD}}", "bad substitution"),
        ("${PWD=x}", "unsupported modifier (=)"),
        ("${PWD:=x}", "unsupported modifier (:=)"),
        ("${NOPE?}", "NOPE: is not allowed to be unset"),
        ("${NULL:?}", "NULL: is not allowed to be empty"),
        ("${NOPE:?say so}", "NOPE: say so"),
        ("${V/b}", "missing '/'"),
        ("${V/\\b/x}", "invalid escape"),
    ],
)
def test_refuses_with_docker_words(word: str, reason: str) -> None:
    with pytest.raises(SyntaxFault) as caught:
        expand(word, VARIABLES)
    assert reason in caught.value.reason


def test_a_fault_points_at_its_place() -> None:
    with pytest.raises(SyntaxFault) as caught:
        expand("abc ${}", {})
    assert caught.value.offset == 4


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("a b  c", ("a", "b", "c")),
        ("'a b' c", ("a b", "c")),
        ("a$TWO", ("ax", "y")),
        ('"$TWO"', ("x y",)),
        ("a\\ b", ("a b",)),
        ("''", ()),
        ("a''b", ("ab",)),
    ],
)
def test_splits_after_expansion(word: str, words: tuple[str, ...]) -> None:
    assert expand(word, {"TWO": "x y"}).words == words


def test_tells_what_it_read() -> None:
    found = expand("$A ${B:-$C} ${D}", {"A": "1", "C": "3"})
    assert found.used == {"A", "C"}
    assert found.unset == {"B", "D"}


def test_backtick_escapes_when_asked() -> None:
    style = Style(escape="`")
    assert expand("C:\\x`$PWD", VARIABLES, style).text == "C:\\x$PWD"


def test_raw_style_keeps_quotes_escapes_and_unset_names() -> None:
    style = Style(raw_quotes=True, raw_escapes=True, keep_unset=True)
    assert expand("a'b'\\c$X${Y}${Z:-q}", {}, style).text == "a'b'\\c$X${Y}${Z:-q}"


@given(st.text())
def test_single_quotes_keep_anything(text: str) -> None:
    body = text.replace("'", "")
    assert expand(f"'{body}'", {"x": "y"}).text == body


@given(st.text(), st.dictionaries(st.from_regex(r"[a-z]+", fullmatch=True), st.text()))
def test_never_fails_but_with_a_fault(text: str, variables: dict[str, str]) -> None:
    try:
        found = expand(text, variables)
    except SyntaxFault:
        return
    assert found.used <= variables.keys()


@given(st.text(alphabet="ab*?.-", max_size=8), st.text(alphabet="ab.-", max_size=12))
def test_trims_are_parts_of_the_value(pattern: str, value: str) -> None:
    variables = {"V": value}
    for operator in ("#", "##"):
        assert value.endswith(expand(f"${{V{operator}{pattern}}}", variables).text)
    for operator in ("%", "%%"):
        assert value.startswith(expand(f"${{V{operator}{pattern}}}", variables).text)
