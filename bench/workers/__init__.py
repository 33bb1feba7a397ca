"""The work of bench.client, done by each client in processes of its own."""
