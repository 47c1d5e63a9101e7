"""The keys that let go of a terminal without ending its process: `ctrl-p,ctrl-q`, if nothing else is asked."""

from __future__ import annotations

from typing import Final

_DEFAULT: Final = b"\x10\x11"
_NAMES: Final = {f"ctrl-{chr(code + 0x60)}": code for code in range(1, 27)} | {
    "ctrl-@": 0,
    "ctrl-[": 27,
    "ctrl-\\": 28,
    "ctrl-]": 29,
    "ctrl-^": 30,
    "ctrl-_": 31,
    "DEL": 127,
}


def parse_keys(text: str) -> bytes:
    """The bytes of a list of keys: single characters and `ctrl-…`, between commas. The default if the text is empty.

    Raises:
        ValueError: a key is neither.
    """
    if not text:
        return _DEFAULT
    codes = bytearray()
    for key in text.split(","):
        code = ord(key) if len(key) == 1 else _NAMES.get(key, 256)
        if code > 255:
            raise ValueError(f"Unknown character: '{key}'")
        codes.append(code)
    return bytes(codes)


class DetachKeys:
    """Watches what is typed for the keys, one after the other; they themselves are held back."""

    def __init__(self, keys: bytes) -> None:
        self._keys = keys
        self._held = 0
        self.pressed = False

    @property
    def held(self) -> bytes:
        """What was typed and not yet passed on: the beginning of the keys."""
        return self._keys[: self._held]

    def feed(self, data: bytes) -> bytes:
        """What of the data is for the process. Once the keys are pressed, what follows them is for nobody."""
        if not self._held and self._keys[0] not in data:
            return data
        passed = bytearray()
        for position, code in enumerate(data):
            if code != self._keys[self._held]:
                passed += self.held
                self._held = 0
            if code == self._keys[self._held]:
                self._held += 1
            else:
                passed += data[position : position + 1]
            if self._held == len(self._keys):
                self.pressed = True
                break
        return bytes(passed)
