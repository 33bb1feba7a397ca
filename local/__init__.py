"""Development only: the local AWS and the simulated portal."""
