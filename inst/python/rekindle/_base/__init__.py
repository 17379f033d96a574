"""What knows of no checkpoint: checks of values, memory, threads, lengths of time, messages."""
