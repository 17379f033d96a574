"""What can be saved and brought back in place: arrays, variables, objects with a state."""
