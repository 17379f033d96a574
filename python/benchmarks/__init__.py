"""What saving and restoring cost, measured beside others and beside the machine's limits."""
