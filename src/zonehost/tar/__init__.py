"""Tar archives: read, written, unpacked into a directory and made of one, at the speed of the disk.

Knows the formats that images are made of: ustar, GNU tar's and pax (POSIX.1-2017, pax "Extended Interchange Format";
GNU tar manual, "Tar Internals"). Refuses to know of layers, images and zones.
"""
