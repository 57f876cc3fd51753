"""Secrets of the far side in tests, recognisable wherever they turn up: tokens begin as real ones do."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable

from tests.fakes.facebook import APP_SECRET

_TOKEN = re.compile(r"EAA[A-Za-z0-9]{4,}")


def found_in(text: str | bytes, known: Iterable[str] | None = None) -> str:
    """The first secret in a text; empty where there is none. What holds ciphertext, which may look like anything, is
    searched for the `known` tokens alone."""
    text = text.decode("latin-1") if isinstance(text, bytes) else text
    if APP_SECRET in text:
        return APP_SECRET
    if known is not None:
        return next((token for token in known if token in text), "")
    match = _TOKEN.search(text)
    return match[0] if match else ""


class Listener(logging.Handler):
    """Keeps what is logged with a secret in it, before anything is taken out of it."""

    def __init__(self) -> None:
        super().__init__(0)
        self.leaks: list[str] = []
        self.setFormatter(logging.Formatter())

    def emit(self, record: logging.LogRecord) -> None:
        text = f"{self.format(record)} {record.__dict__}"
        if found := found_in(text):
            self.leaks.append(f"{record.name}: {record.getMessage()}: {found}")
