"""The cost of saving and restoring, compared with other libraries and with the machine's limits."""
