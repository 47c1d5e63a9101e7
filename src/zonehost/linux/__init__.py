"""The kernel, thinly: one module a family of system calls. No policy, no knowledge of Docker."""
