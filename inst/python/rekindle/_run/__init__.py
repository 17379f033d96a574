"""The running fit(): its variables, its history, where it stands, and how to bring all of it back."""
