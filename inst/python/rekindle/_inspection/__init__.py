"""Reads a backup folder without its lock."""
