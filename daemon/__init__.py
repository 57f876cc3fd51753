"""The service: when a film is made, with what, and to whom it goes."""

from __future__ import annotations

__version__ = "0.1.0"
