"""What df(1) shows in a zone: statfs(2) of a file whose dataset has a limit is answered by a process of ours.

That process, the supervisor in the words of seccomp_unotify(2), outlives the daemon; nothing heavy is imported here.
"""
