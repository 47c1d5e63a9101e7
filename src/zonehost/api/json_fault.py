"""What is wrong with a text that is no JSON, in the words of Go's decoder (encoding/json), which Docker passes on.

msgspec says what it found, and at which byte. The text may have megabytes, and the event loop waits: so it is neither
decoded again, unless it is no UTF-8 or a number in it begins with 0, nor ever read by characters.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

_MALFORMED: Final = re.compile(r"JSON is malformed: (.*) \(byte (\d+)\)")
_CUT: Final = "unexpected EOF"
_KEY: Final = "looking for beginning of object key string"
_VALUE: Final = "looking for beginning of value"
_PLACES: Final = {
    "expected ',' or ']'": "after array element",
    "expected ',' or '}'": "after object key:value pair",
    "expected ':'": "after object key",
    "object keys must be strings": _KEY,
    "trailing comma in object": _KEY,
    "trailing comma in array": _VALUE,
}
_NUMBER_PLACES: Final = {
    b".": "after decimal point in numeric literal",
    **dict.fromkeys((b"e", b"E", b"+", b"-"), "in exponent of numeric literal"),
}
_LITERALS: Final = {b"t": "true", b"f": "false", b"n": "null"}


def fault(data: bytes, error: Exception) -> str:
    """The first fault of the text that msgspec's decoder refused with this error; its own words where Go has none."""
    if isinstance(error, RecursionError):
        return "exceeded max depth"
    if isinstance(error, UnicodeDecodeError):
        return _fault_of(data.decode(errors="replace").encode(), str(error))
    told = str(error)
    if told == "Input data was truncated":
        return _cut(data)
    found = _MALFORMED.fullmatch(told)
    if found is None:
        return told
    what, at = found[1], int(found[2])
    if what == "trailing characters":
        return "unexpected content after JSON"
    if what == "invalid character":
        return _invalid_character(data, at)
    if what == "invalid number":
        if (place := _NUMBER_PLACES.get(data[at - 1 : at])) is not None:
            return _invalid(data, at, place)
        return _fault_of(data[:at] + b" " + data[at:], told)  # a number that begins with 0 ends there
    return _invalid(data, at, _PLACES[what]) if what in _PLACES else told


def _fault_of(data: bytes, otherwise: str) -> str:
    try:
        msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        return fault(data, error)
    return otherwise


def _invalid(data: bytes, at: int, place: str) -> str:
    following = data[at : at + 4].decode(errors="replace")
    return f"invalid character {_quoted(following[0])} {place}" if following else _CUT


def _invalid_character(data: bytes, at: int) -> str:
    """In a string or a number, or where a value should begin; of a literal, `at` is where it would end."""
    for start, literals in ((at - 4, b"tn"), (at - 5, b"f")):
        if _begins_literal(data, start, literals):
            return _literal_fault(data[start:at])
    if _in_string(data[:at]):
        return _invalid(data, at, "in string literal")
    return _invalid(data, at, "in numeric literal" if data[at - 1 : at] == b"-" else _VALUE)


def _cut(data: bytes) -> str:
    """The text ends too early, if it does not end in what is no literal already."""
    for start in range(len(data) - 4, len(data)):
        if _begins_literal(data, start, b"tfn"):
            return _literal_fault(data[start:])
    return _CUT


def _begins_literal(data: bytes, start: int, letters: bytes) -> bool:
    """Whether a value begins there, with one of these letters."""
    if start < 0 or data[start] not in letters:
        return False
    before = data[:start].rstrip(b" \t\r\n")
    return before[-1:] in (b"", b"[", b",", b":") and not _in_string(before)


def _in_string(beginning: bytes) -> bool:
    """Whether a string is open at the end of a faultless beginning."""
    return beginning.replace(rb"\\", b"").replace(rb"\"", b"").count(b'"') % 2 == 1


def _literal_fault(data: bytes) -> str:
    """Where the text stops being the literal that it begins as."""
    literal = _LITERALS[data[:1]]
    for expected, found in zip(literal, data.decode(errors="replace"), strict=False):
        if found != expected:
            return f"invalid character {_quoted(found)} in literal {literal} (expecting {_quoted(expected)})"
    return _CUT


def _quoted(character: str) -> str:
    """As Go prints a character."""
    return {"'": "'\\''", '"': "'\"'"}.get(character, repr(character))
