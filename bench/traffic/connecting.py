"""`python -m bench.traffic.connecting ADDRESS FIRST LAST SECONDS END`: new connections a second, to each port in turn.

END `reset`: the client ends each at once (SO_LINGER of 0). `wait`: it waits until the server does, as a proxy between
them needs: a docker-proxy dies of the connections that resets leave it. Neither leaves a TIME_WAIT with the client.
"""

from __future__ import annotations

import itertools
import socket
import struct
import sys
from time import perf_counter

AT_ONCE = struct.pack("ii", 1, 0)


def main(address: str, first: int, last: int, seconds: float, *, reset: bool) -> None:
    count = 0
    ends = (began := perf_counter()) + seconds
    for port in itertools.cycle(range(first, last + 1)):
        client = socket.socket()
        client.connect((address, port))
        if reset:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        else:
            client.recv(1)
        client.close()
        count += 1
        if perf_counter() > ends:
            break
    print(count / (perf_counter() - began))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), reset=sys.argv[5] == "reset")
