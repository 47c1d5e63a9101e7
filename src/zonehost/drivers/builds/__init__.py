"""Files of builds, below one folder: a build's context as the archive that came and an index of it, cache folders.

A context is never unpacked unless a command mounts it: COPY goes from the archive straight into a layer's archive. The
work on files is done by jobs of the fork server.
"""
