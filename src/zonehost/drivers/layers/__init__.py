"""Layers as directories of one file system, and archives of images made of them.

A layer's folder, named by the digits of its diff id, holds `tree` (the files, with whiteouts in overlay form),
`skeleton.zst` (what the archive had besides content), `facts.json`, and if need be `replaced` (files that the archive
itself replaced), `below` (what it takes from other layers) and `safe` (all of it has been synced to the disk). Beside
them stands `foundation`, the tree under every zone's root. The work on files is done by jobs of the fork server, never
in the daemon.
"""
