"""Datasets as btrfs subvolumes: `pool` owns the file system, `datasets` what is in it."""
