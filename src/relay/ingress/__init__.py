"""Receive, verify, publish: the public side."""
