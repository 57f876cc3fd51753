"""The process that makes films: its loop, and what watches it, its jobs and its disk."""

from __future__ import annotations
