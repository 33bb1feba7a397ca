"""What reactions wrote, and whether a change is only that: stamps, ledger -> detect."""
