"""Signed links: a name and an end, which open one file without a key until then. Knows neither files nor HTTP."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime
from urllib.parse import urlencode

from daemon.errors import BadKey, LinkExpired

_LONGEST_NUMBER = 12


class LinkSigner:
    """Signs with `pepper`, the secret of this installation."""

    def __init__(self, pepper: bytes) -> None:
        self._pepper = pepper

    def sign(self, name: str, expires: int) -> str:
        """The signature, as hex, of a file's name and the second (since 1970) that it opens until."""
        return hmac.new(self._pepper, f"link:{name}:{expires}".encode(), hashlib.sha256).hexdigest()

    def query(self, name: str, expires: int) -> str:
        """What follows the question mark of a link."""
        return urlencode({"expires": expires, "signature": self.sign(name, expires)})

    def check(self, name: str, expires: str, signature: str, now: datetime) -> None:
        """Let a link pass, or say why not.

        Raises:
            BadKey: it was not signed here, or not like this.
            LinkExpired: it was, and its time is over.
        """
        number = int(expires) if expires.isascii() and expires.isdecimal() and len(expires) <= _LONGEST_NUMBER else 0
        if not hmac.compare_digest(self.sign(name, number).encode(), signature.encode("utf-8", "replace")):
            raise BadKey("This link was not signed here; ask the job's status_url for it, or send a key in X-Api-Key.")
        if now.timestamp() >= number:
            raise LinkExpired
