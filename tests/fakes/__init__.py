"""Programs and servers that stand in for the far side."""

from __future__ import annotations
