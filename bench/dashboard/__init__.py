"""The stack's dashboard as a picture with local figures: `python -m bench.dashboard`."""
