"""Benchmarks: measured by a command, never by a test with a clock."""
