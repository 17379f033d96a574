"""Looks into a folder without its lock."""
