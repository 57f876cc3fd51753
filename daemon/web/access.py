"""Who is calling. Reads the key from a request's headers; whether it opens the door is the key store's word."""

from __future__ import annotations

from starlette.datastructures import Headers

from daemon.errors import BadKey

_HOW = 'send it in the header "X-Api-Key: catv_..." or "Authorization: Bearer catv_..."'


def presented_key(headers: Headers) -> str:
    """Take the key from `X-Api-Key`, else from `Authorization: Bearer`.

    Raises:
        BadKey: there is none.
    """
    key = headers.get("x-api-key", "").strip() or _bearer(headers.get("authorization", ""))
    if not key:
        raise BadKey(f'An API key is needed; {_HOW}. "./vix keys create NAME" makes one.')
    return key


def _bearer(authorization: str) -> str:
    scheme, _, value = authorization.strip().partition(" ")
    if authorization and scheme.lower() != "bearer":
        raise BadKey(f"The Authorization header is not of the kind Bearer; {_HOW}.")
    return value.strip()
