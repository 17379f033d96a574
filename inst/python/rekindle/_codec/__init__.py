"""Live objects to a tree of arrays and JSON values, and back in place."""
