"""Networks by the kernel: bridges, veth pairs, one nftables table an instance."""
