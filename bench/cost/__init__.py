"""What the relay costs: `python -m bench.cost`."""
