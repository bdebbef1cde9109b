"""The journal: its format, its files, reading the past, writing the next transaction."""
