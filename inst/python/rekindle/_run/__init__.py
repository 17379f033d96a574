"""The running fit(): what makes up its state, and how to bring all of it back."""
