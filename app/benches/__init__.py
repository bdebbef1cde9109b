"""Benchmarks of backup, restore and journal, each beside what it is held against."""
