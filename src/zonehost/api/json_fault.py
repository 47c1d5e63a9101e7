"""What is wrong with a text that is no JSON, in the words of Go's decoder (encoding/json), which Docker passes on."""

from __future__ import annotations

import json
from typing import Final

_LITERALS: Final = {"t": "true", "f": "false", "n": "null"}
_CONTROL: Final = "Invalid control character at"
_PLACES: Final = {
    "Expecting value": "looking for beginning of value",
    "Expecting property name enclosed in double quotes": "looking for beginning of object key string",
    "Expecting ':' delimiter": "after object key",
    _CONTROL: "in string literal",
}


def fault(data: bytes, otherwise: str) -> str:
    """The first fault of the text; `otherwise` where Python's decoder finds none or Go has no words for it."""
    text = data.decode(errors="replace")
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return _words(text, error, otherwise)
    except RecursionError:
        return "exceeded max depth"
    return otherwise


def _words(text: str, error: json.JSONDecodeError, otherwise: str) -> str:
    rest = text[error.pos :]
    if error.msg != _CONTROL:
        rest = rest.lstrip(" \t\r\n")
    if error.msg == "Extra data":
        return "unexpected content after JSON"
    if not rest or error.msg.startswith("Unterminated string"):
        return "unexpected EOF"
    if error.msg == "Expecting value" and (literal := _LITERALS.get(rest[0])):
        return _literal_fault(rest, literal)
    if error.msg == "Expecting ',' delimiter":
        place = "after array element" if _within_array(text[: error.pos]) else "after object key:value pair"
    elif (place := _PLACES.get(error.msg, "")) == "":
        return otherwise
    return f"invalid character {_quoted(rest[0])} {place}"


def _literal_fault(text: str, literal: str) -> str:
    """Where the text stops being the literal that it begins as."""
    for expected, found in zip(literal, text, strict=False):
        if found != expected:
            return f"invalid character {_quoted(found)} in literal {literal} (expecting {_quoted(expected)})"
    return "unexpected EOF"


def _within_array(text: str) -> bool:
    """Whether the innermost bracket that is open at the end of a faultless beginning is an array's."""
    open_brackets: list[str] = []
    in_string = escaped = False
    for character in text:
        if in_string:
            in_string = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            in_string = True
        elif character in "[{":
            open_brackets.append(character)
        elif character in "]}":
            open_brackets.pop()
    return open_brackets[-1] == "["


def _quoted(character: str) -> str:
    """As Go prints a character."""
    return {"'": "'\\''", '"': "'\"'"}.get(character, repr(character))
