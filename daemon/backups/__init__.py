"""Backups: one file of what cannot be made again, and the way back. Knows files and locks, not commands."""
