"""A zone's file tree from outside: copied, exported, compared, measured.

All work is done by jobs of the fork server: a process of its own may enter a zone's user namespace, or mount a stopped
zone's root where nobody else sees it.
"""
