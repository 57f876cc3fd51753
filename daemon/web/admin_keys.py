"""`/admin/keys`: make, list, change, rotate and revoke keys. A secret is shown once, by the answer that makes it."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

from starlette.responses import Response

from daemon.errors import UnknownKey
from daemon.store.keys import SCOPES, Key, OwnLimits
from daemon.web.admin_bodies import read_model
from daemon.web.admin_models import KeyChange, LimitsBody, NewKey, Rotation
from daemon.web.answers import Answer, listing
from daemon.web.call import Call
from render.publication import Publish


async def admin_keys(call: Call) -> Response:
    """Answer with all keys."""
    return listing([_plain(key) for key in await call.blocking(call.services.keys.list)])


async def admin_create_key(call: Call) -> Response:
    """Make a key."""
    asked = await read_model(call.request, NewKey)
    key, secret = await call.blocking(
        call.services.keys.create,
        asked.name,
        scopes=asked.scopes,
        limits=_changed(OwnLimits(), asked.limits),
        expires_at=asked.expires_at,
        publish=await _publish(call, asked.publish),
    )
    return Answer({**_plain(key), "key": secret}, 201)


async def admin_change_key(call: Call) -> Response:
    """Change scopes, limits, publishing or the end of a key; what is not named stays."""
    asked = await read_model(call.request, KeyChange)
    named, publish = asked.model_fields_set, await _publish(call, asked.publish)

    def edit(key: Key) -> Key:
        return replace(
            key,
            scopes=frozenset(asked.scopes) if asked.scopes else key.scopes,
            own_limits=_changed(key.own_limits, asked.limits) if asked.limits else key.own_limits,
            expires_at=asked.expires_at if "expires_at" in named else key.expires_at,
            publish=publish if "publish" in named else key.publish,
        )

    return Answer(_plain(await call.blocking(call.services.keys.change, _key_id(call), edit)))


async def admin_rotate_key(call: Call) -> Response:
    """Give a key a new secret; the one so far opens for some hours more."""
    asked = await read_model(call.request, Rotation)
    overlap = timedelta(hours=asked.overlap_h)
    key, secret = await call.blocking(call.services.keys.rotate, _key_id(call), overlap)
    return Answer({**_plain(key), "key": secret})


async def admin_revoke_key(call: Call) -> Response:
    """End a key's life at once; once more is no error."""
    await call.blocking(call.services.keys.revoke, _key_id(call))
    return Answer(_plain(await call.blocking(call.services.keys.get, _key_id(call))))


def _key_id(call: Call) -> str:
    """Take the key's id out of the path.

    Raises:
        UnknownKey: it cannot be one.
    """
    found: str = call.request.path_params["key_id"]
    if not (found.isascii() and found.isalnum()):
        raise UnknownKey
    return found


def _changed(limits: OwnLimits, asked: LimitsBody) -> OwnLimits:
    return replace(limits, **{name: getattr(asked, name) for name in asked.model_fields_set})


async def _publish(call: Call, asked: Publish | None) -> dict[str, Any] | None:
    """See that films can go where they are to, and write it down as it was asked for.

    Raises:
        SpecError: an account is not connected, or a time is none that can be kept.
    """
    if asked is None:
        return None
    await call.blocking(call.services.publishing.read, asked)
    return asked.model_dump(mode="json", exclude_unset=True)


def _plain(key: Key) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "scopes": [scope for scope in SCOPES if scope in key.scopes],
        "limits": asdict(key.limits),
        "own_limits": asdict(key.own_limits),
        "publish": key.publish,
        "created_at": _time(key.created_at),
        "expires_at": _time(key.expires_at),
        "revoked_at": _time(key.revoked_at),
        "used_at": _time(key.used_at),
        "old_secret_until": _time(key.old_until),
    }


def _time(at: datetime | None) -> str | None:
    return at.isoformat(timespec="milliseconds") if at else None
