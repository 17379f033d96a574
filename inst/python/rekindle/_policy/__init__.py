"""When to save and which checkpoints to keep: pure functions of the past events."""
