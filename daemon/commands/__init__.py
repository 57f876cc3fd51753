"""The commands behind `./vix`, one a file, and what builds the parts they run. Knows everybody; nobody knows it."""

from __future__ import annotations
