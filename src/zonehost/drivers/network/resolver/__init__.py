"""The resolver: a small process of its own that answers zones at 127.0.0.11, also while the daemon is down.

It imports the standard library only, and little of that: each megabyte here is one more that the host gives.
"""
