"""`python -m zonehost.drivers.network.resolver FD`: serve orders from the listening socket of this descriptor."""

from __future__ import annotations

import socket
import sys

from zonehost.drivers.network.resolver.server import Server

Server(socket.socket(fileno=int(sys.argv[1]))).run()
