"""Calls what others name, by one client: which addresses it may call, what a URL means, how it connects."""

from __future__ import annotations
