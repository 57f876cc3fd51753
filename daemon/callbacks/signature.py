"""Signatures of callbacks as Standard Webhooks 1.0 describes them (standardwebhooks.com). Pure.

Signed is `id.timestamp.body` with HMAC-SHA256; while two secrets are good, each has its signature.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence

SECRET_PREFIX = "whsec_"


def sign(secrets: Sequence[str], message_id: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """Write the three headers of a signed message. `secrets` are `whsec_` and base64.

    Raises:
        ValueError: there is no secret, or one is not of that form.
    """
    if not secrets:
        raise ValueError("there is no secret to sign with")
    signed = b".".join((message_id.encode("ascii"), str(timestamp_s).encode("ascii"), body))
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": " ".join(f"v1,{_signature(secret, signed)}" for secret in secrets),
    }


def _signature(secret: str, signed: bytes) -> str:
    if not secret.startswith(SECRET_PREFIX):
        raise ValueError(f"a secret of a callback starts with {SECRET_PREFIX}")
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    return base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode("ascii")
