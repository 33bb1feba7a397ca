"""Mutation testing: change one line of the code, and see whether a test notices."""
