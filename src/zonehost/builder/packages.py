"""Which packages of an image have newer versions in its own package sources: the questions, and how answers are read.

The question is one shell script, run in a zone of the image: each package manager that is there prints lines of
`MANAGER NAME OLD NEW` behind a mark. Nothing is installed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_MARK: Final = "zonehost-package"
_FIELDS: Final = 5

QUESTION: Final = rf"""
have() {{ command -v "$1" >/dev/null 2>&1; }}
if have apt-get; then
    apt-get -qq update >&2 &&
    apt-get -s -o Debug::NoLocking=true dist-upgrade 2>/dev/null |
        sed -n 's/^Inst \([^ ]*\) \[\([^]]*\)\] (\([^ ]*\) .*/{_MARK} apt \1 \2 \3/p'
fi
if have apk; then
    apk -q update >&2 &&
    apk version -l '<' 2>/dev/null |
        sed -n 's/^\(.*\)-\([0-9][^ ]*\) *< *\([^ ]*\).*/{_MARK} apk \1 \2 \3/p'
fi
for pip in pip3 pip; do
    if have $pip; then
        $pip list --outdated --format=columns --disable-pip-version-check 2>/dev/null |
            sed -n '3,$s/^\([^ ]*\) *\([^ ]*\) *\([^ ]*\) .*/{_MARK} pip \1 \2 \3/p'
        break
    fi
done
if have npm; then
    npm outdated --global --parseable 2>/dev/null |
        sed -n 's/^[^:]*:[^:]*:\([^:]*\)@\([^:@]*\):[^:]*@\([^:@]*\):.*/{_MARK} npm \1 \2 \3/p'
fi
true
"""


@dataclass(frozen=True, slots=True)
class Outdated:
    """A package with a newer version in its own source."""

    manager: str
    name: str
    installed: str
    available: str


def read_answer(output: str) -> list[Outdated]:
    """The packages in what the question printed; anything else in it is passed over."""
    found = []
    for line in output.splitlines():
        words = line.split()
        if len(words) == _FIELDS and words[0] == _MARK:
            found.append(Outdated(*words[1:]))
    return found
