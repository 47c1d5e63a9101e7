"""The log files that keepers write: their format, reading them back, following and rotating them."""
