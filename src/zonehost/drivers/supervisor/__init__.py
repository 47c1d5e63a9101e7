"""Limits of datasets that the kernel does not tell or keep: a process of ours answers calls of zones that have some.

df(1) asks by statfs(2), and btrfs(8) makes children of a delegated volume by ioctl(2). The process, the supervisor in
the words of seccomp_unotify(2), outlives the daemon; nothing heavy is imported here.
"""
