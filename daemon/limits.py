"""Numbers that several parts of the service judge by."""

from __future__ import annotations

# A minute of film takes about 30 MB, and as much again while it is made.
LEAST_FREE_BYTES = 200 * 2**20
