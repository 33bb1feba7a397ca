"""What was done for a record is not done again: portal -> run -> claims, lease -> checkpoints."""
