"""Helpers that do not depend on checkpoints: checks, memory, threads, durations, messages."""
