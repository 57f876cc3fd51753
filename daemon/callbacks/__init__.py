"""Callbacks: how whoever waits for a film is told that it is there."""
