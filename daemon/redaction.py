"""Takes secrets out of text that leaves the process by the log. Pure; knows shapes of secrets and those it is told."""

from __future__ import annotations

import re
from collections.abc import Iterable

HIDDEN = "[hidden]"
_SHORTEST_SECRET = 8

_SHAPES = (
    # Keys of this service, and the secrets that its callbacks are signed with.
    (re.compile(r"\bcatv_[A-Za-z0-9]{1,16}_[A-Za-z0-9]+"), f"catv_{HIDDEN}"),
    (re.compile(r"\bwhsec_[A-Za-z0-9+/=_-]+"), f"whsec_{HIDDEN}"),
    # What stands before a URL's host, all of it to the last @, and its query, which for a callback is the secret
    # itself; the query of a path alone, too.
    (re.compile(r"\b([a-z][a-z0-9+.-]{1,20}://)[^\s/?#'\"<>]{0,1000}@", re.I), rf"\1{HIDDEN}@"),
    (re.compile(r"\b([a-z][a-z0-9+.-]{1,20}://[^\s?'\"<>]{1,1000}\?)[^\s'\"<>]+", re.I), rf"\1{HIDDEN}"),
    (re.compile(r"(?<![^\s'\"<>(\[=,:])(/[^\s?'\"<>]{0,1000}\?)[^\s'\"<>]+"), rf"\1{HIDDEN}"),
    # Headers and parameters that carry secrets, as `name: value`, `name=value` or `'name': 'value'`.
    (
        re.compile(
            r"""(["']?\b[\w-]{0,60}(?:key|token|secret|signature|authorization|cookie|password|passwd|appsecret[_-]proof"""
            r"""|upload[_-]id)["']?\s*[:=]\s*)"""
            r"""(?:b?"[^"]*"|b?'[^']*'|(?:(?:bearer|basic)\s+)?[^\s,;&"'<>)\]}]+)""",
            re.I,
        ),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}", re.I), rf"\1 {HIDDEN}"),
)


class Redactor:
    """Hides what looks like a secret, and every one of `secrets` wherever it stands."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = sorted((secret for secret in secrets if len(secret) >= _SHORTEST_SECRET), key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, text: str) -> str:
        """Return the text with its secrets hidden."""
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        for shape, replacement in _SHAPES:
            text = shape.sub(replacement, text)
        return text
