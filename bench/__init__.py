"""Benchmarks: commands that print what they measured, never timed tests."""
