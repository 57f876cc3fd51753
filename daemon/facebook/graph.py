"""Calls the Graph API and its upload host. Knows how a call is made and proved, not what it is for.

Tokens go into a header and never into a URL, but for the two calls that are documented with them there; every call
proves that it knows the app's secret (`appsecret_proof`: HMAC-SHA256 of the token, as hex).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import RawIOBase
from typing import Any
from urllib.parse import urlencode, urlsplit

from daemon.deliveries.setbacks import Passing, Throttled, Unclear
from daemon.errors import UrlRefused
from daemon.facebook.meaning import error_of, parsed, pause_s
from daemon.outbound.addresses import Guard
from daemon.outbound.client import Answer, Body, Form, Outbound, Stream
from daemon.outbound.sockets import Deadline, NotReached
from daemon.outbound.urls import parse

USUAL_URL = "https://graph.facebook.com"
VERSION = "v26.0"
_UPLOAD_HOST = "rupload.facebook.com"
_LOGIN_URL = "https://www.facebook.com"
_CALL_S, _FILES_S, _STALL_S = 60.0, 3600.0, 45.0
_MOST_ANSWER_BYTES = 2**20

Files = Mapping[str, tuple[str, bytes | RawIOBase, str]]
"""Name -> (file name, content, media type)."""


@dataclass(frozen=True, slots=True)
class Credential:
    """What a call is made with: a token and the secret of the app that it was given to; without one (a system user's
    token that came alone) there is no proof."""

    token: str = field(repr=False)
    app_secret: str = field(default="", repr=False)

    @property
    def proof(self) -> dict[str, str]:
        if not self.app_secret:
            return {}
        digest = hmac.new(self.app_secret.encode(), self.token.encode(), hashlib.sha256)
        return {"appsecret_proof": digest.hexdigest()}


class Graph:
    """The API at a base URL. `pause_s` is how long the last answers ask to be left alone."""

    def __init__(self, base: str = "", version: str = VERSION, agent: str = "Vix") -> None:
        self._base = (base or USUAL_URL).rstrip("/")
        self._is_usual = self._base == USUAL_URL
        self._version = version
        host = urlsplit(self._base).hostname
        # Whoever sets another base is the operator, so it may be a private one.
        self._outbound = Outbound(Guard([] if self._is_usual or not host else [host]), agent=agent)
        self.pause_s = 0.0

    @property
    def login_url(self) -> str:
        """Where people grant the app its rights."""
        return f"{_LOGIN_URL if self._is_usual else self._base}/{self._version}/dialog/oauth"

    def get(self, path: str, credential: Credential | None = None, **params: str) -> dict[str, Any]:
        """Ask for something.

        Raises:
            DeliveryError: it is not to be had; by its kind, what to do about that.
        """
        return self._call("GET", path, credential, params)

    def post(
        self,
        path: str,
        credential: Credential,
        files: Files | None = None,
        **params: str,
    ) -> dict[str, Any]:
        """Have something done.

        Raises:
            DeliveryError: it was not done, or, where it is `Unclear`, may have been.
        """
        return self._call("POST", path, credential, params, files or {})

    def upload(
        self, url: str, credential: Credential, body: Stream, offset: int, size: int, *, total_s: float, stall_s: float
    ) -> dict[str, Any]:
        """Send bytes from `offset` on to the address that the start of an upload has named; `size` is the whole file's.

        Raises:
            DeliveryError: they were not taken, or not all of them.
        """
        if not self._may_upload_to(url):
            raise Passing("Facebook named an upload address that is not its own.", "facebook_upload_url", 3)
        headers = {
            "Authorization": f"OAuth {credential.token}",
            "offset": str(offset),
            "file_size": str(size),
            "Content-Type": "application/octet-stream",
        }
        return self._read(self._sent("POST", url, body, headers, Deadline(total_s, stall_s)))

    def _may_upload_to(self, url: str) -> bool:
        parts, base = urlsplit(url), urlsplit(self._base)
        if self._is_usual:
            return parts.scheme == "https" and parts.netloc == _UPLOAD_HOST
        return (parts.scheme, parts.netloc) == (base.scheme, base.netloc)

    def _call(
        self,
        method: str,
        path: str,
        credential: Credential | None,
        params: Mapping[str, str],
        files: Files | None = None,
    ) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {credential.token}"} if credential else {}
        fields = {**params, **(credential.proof if credential else {})}
        url, body = f"{self._base}/{self._version}/{path}", None
        if method == "GET":
            url += f"?{urlencode(fields)}" if fields else ""
        else:
            body = Form(fields, files or {})
        return self._read(self._sent(method, url, body, headers, Deadline(_FILES_S if files else _CALL_S, _STALL_S)))

    def _sent(self, method: str, url: str, body: Body, headers: Mapping[str, str], deadline: Deadline) -> Answer:
        try:
            return self._outbound.send(method, parse(url), body, headers, deadline, most_bytes=_MOST_ANSWER_BYTES)
        except UrlRefused as exc:
            raise Passing("Facebook's address leads to this network or machine.", "facebook_address", 5) from exc
        except NotReached as exc:
            raise Unclear(f"Facebook was not reached, or did not answer: {exc}", "facebook_not_reached") from exc

    def _read(self, answer: Answer) -> dict[str, Any]:
        asked_s = pause_s(answer.headers)
        self.pause_s = max(self.pause_s, asked_s)
        error = error_of(answer.status, answer.body)
        if isinstance(error, Throttled) and asked_s:
            error.wait_s = asked_s
        if error is not None:
            raise error
        return parsed(answer.body) or {}
