"""The same work done by each client: what bench.client runs in processes of its own."""
