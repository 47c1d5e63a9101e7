"""The forms that arguments of an instruction take: flags, JSON lists, words, name=value pairs.

Nothing is expanded here, and quotes stay: `words.expand` takes both away later. Knows no instruction.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from zonehost.builder.faults import SyntaxFault
from zonehost.builder.words import WHITE_SPACE

_BLANKS = re.compile(r"[\t\v\f\r ]+")
_SPACES = "".join(WHITE_SPACE)


@dataclass(frozen=True, slots=True)
class Flag:
    """One `--name` or `--name=value` before an instruction's arguments; `offset` is where it stands."""

    name: str
    value: str | None
    offset: int


def split_instruction(text: str) -> tuple[str, list[Flag], str, int]:
    """The instruction's name in upper case, its flags, the rest of the line, and the offset of that rest."""
    start = len(text) - len(text.lstrip(_SPACES))
    body = text.strip(_SPACES)
    match = _BLANKS.search(body)
    if not match:
        return body.upper(), [], "", len(text)
    flags, at = _read_flags(text, start + match.end())
    rest = text[at:].strip(_SPACES)
    at += len(text[at:]) - len(text[at:].lstrip(_SPACES))
    return body[: match.start()].upper(), flags, rest, at


def _read_flags(text: str, at: int) -> tuple[list[Flag], int]:
    flags: list[Flag] = []
    while True:
        while text[at : at + 1] in WHITE_SPACE:
            at += 1
        if not text.startswith("--", at):
            return flags, at
        start = at
        word, at = _flag_word(text, at)
        if word == "--":
            return flags, at
        name, equals, value = word[2:].partition("=")
        flags.append(Flag(name, value if equals else None, start))


def _flag_word(text: str, at: int) -> tuple[str, int]:
    """One flag without its quotes and escapes. Docker escapes flags with a backslash always."""
    out: list[str] = []
    quote = ""
    while at < len(text):
        character = text[at]
        if not quote and character in WHITE_SPACE:
            break
        at += 1
        if quote and character == quote:
            quote = ""
        elif not quote and character in "'\"":
            quote = character
        elif character == "\\":
            out.append(text[at : at + 1])
            at += 1
        else:
            out.append(character)
    return "".join(out), at


def json_list(text: str) -> list[str] | None:
    """A JSON list of strings, or None where the text is no JSON list.

    Raises SyntaxFault for a list that holds anything but strings.
    """
    if not text.lstrip(_SPACES).startswith("["):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):  # the latter of lists in lists, a thousand deep
        return None
    if not isinstance(value, list):
        return None
    if not all(isinstance(item, str) for item in value):
        raise SyntaxFault("when using JSON array syntax, arrays must be comprised of strings only")
    return [str(item) for item in value]


def blank_separated(text: str) -> list[str]:
    """The arguments between blanks; quotes have no meaning."""
    return _BLANKS.split(text) if text else []


def quoted_words(text: str, escape: str) -> list[str]:
    """The arguments between white space; quotes and escapes hold words together and stay in them."""
    words: list[str] = []
    word: list[str] = []
    started = False
    quote = ""
    at = 0
    while at < len(text):
        character = text[at]
        at += 1
        if not quote and character in WHITE_SPACE:
            if started:
                words.append("".join(word))
            word, started = [], False
            continue
        if character == escape and quote != "'":
            if at == len(text):
                break
            word += (character, text[at])
            at += 1
        else:
            if quote:
                quote = "" if character == quote else quote
            elif character in "'\"":
                quote = character
            word.append(character)
        started = True
    if started:
        words.append("".join(word))
    return words


def name_values(text: str, instruction: str, escape: str) -> list[tuple[str, str]]:
    """The pairs of ENV and LABEL: `name=value …`, or the old form `name value`. Raises SyntaxFault."""
    words = quoted_words(text, escape)
    if not words:
        raise SyntaxFault(f"{instruction} requires at least one argument")
    if "=" not in words[0]:
        parts = _BLANKS.split(text, maxsplit=1)
        if len(parts) < 2:
            raise SyntaxFault(f"{instruction} must have two arguments")
        return [(parts[0], parts[1])]
    pairs = []
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            shown = json.dumps(word)
            raise SyntaxFault(
                f"Syntax error - can't find = in {shown}. Must be of the form: name=value", text.find(word)
            )
        if not name:
            raise SyntaxFault(f"{instruction} names can not be blank", text.find(word))
        pairs.append((name, value))
    return pairs
