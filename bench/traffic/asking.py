"""`python -m bench.traffic.asking SERVER NAME WINDOW SECONDS`: ask a DNS server, always WINDOW questions at a time.

Prints answers a second, and the 99th percentile of the time to an answer in milliseconds. An answer that lacks an
address ends the program with an error.
"""

from __future__ import annotations

import socket
import statistics
import struct
import sys
from time import perf_counter

PATIENCE = 5.0
NUMBER, CODE, ANSWERS = 1, 3, 7
"""Where a message has the low bytes of its number, of its flags, and of the count of its answers."""


def question(number: int, name: str) -> bytes:
    """A question for an A record (RFC 1035, section 4)."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 0) + labels + b"\0\0\1\0\1"


def main(server: str, name: str, window: int, seconds: float) -> None:
    asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    asking.settimeout(PATIENCE)
    asking.connect((server, 53))
    questions = [question(number, name) for number in range(window)]
    waits: list[float] = []
    asked = [perf_counter()] * window
    for text in questions:
        asking.send(text)
    now = began = perf_counter()
    while now < began + seconds:
        answer = asking.recv(512)
        now = perf_counter()
        if answer[CODE] & 15 or not answer[ANSWERS]:
            sys.exit(f"{server} does not know {name}")
        number = answer[NUMBER]
        waits.append(now - asked[number])
        asked[number] = now
        asking.send(questions[number])
    print(len(waits) / (now - began), statistics.quantiles(waits, n=100)[-1] * 1000)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
