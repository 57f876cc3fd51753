"""The doors of `/admin` with what the documentation says of them. Without a master key none of them is there."""

from __future__ import annotations

from daemon.errors import KeyRevoked, UnknownKey
from daemon.web import admin_house, admin_keys, admin_library, admin_models, manual, models
from daemon.web.access import ADMIN
from daemon.web.door import Door, Manual, Parameter, Reply
from render.errors import SpecError

_AT = "2026-11-21T09:00:00.000+00:00"
_KEY_ID = Parameter("key_id", "path", "The key.", {"type": "string", "pattern": "^[A-Za-z0-9]+$"}, "Ab3dEf6h")
_LIMITS = {"per_minute": 120, "per_day": 5000, "waiting": 2000}
_KEY = {
    "id": "Ab3dEf6h",
    "name": "n8n",
    "scopes": ["submit", "read"],
    "limits": _LIMITS | {"per_minute": 10},
    "own_limits": {"per_minute": 10, "per_day": None, "waiting": None},
    "publish": None,
    "created_at": _AT,
    "expires_at": None,
    "revoked_at": None,
    "used_at": None,
    "old_secret_until": None,
}
_SECRET = _KEY | {"key": "catv_Ab3dEf6h_" + "x" * 43}
_ERRAND = {"id": 1, "name": "scan", "argument": "", "asked_at": _AT, "done_at": None, "answer": None}
_LOCATION = {"Location": "Where the errand's answer will be."}


_KEYS = Manual(
    "Admin",
    "All keys, the oldest first, without their secrets.",
    {200: Reply("All of them.", admin_models.Keys, {"items": [_KEY], "next": None})},
)
_CREATE_KEY = Manual(
    "Admin",
    "Make a key. Its secret is shown by this answer alone.",
    {201: Reply("The key with its secret.", admin_models.KeyWithSecret, _SECRET)},
    body=admin_models.NewKey,
    body_example={"name": "n8n", "limits": {"per_minute": 10}},
)
_CHANGE_KEY = Manual(
    "Admin",
    "Change scopes, limits, publishing or the end of a key. What is not named stays.",
    {200: Reply("The key as it is now.", admin_models.KeyShape, _KEY)},
    parameters=(_KEY_ID,),
    body=admin_models.KeyChange,
    body_example={"limits": {"per_minute": 10}, "expires_at": None},
    is_body_optional=True,
    errors=(UnknownKey, KeyRevoked),
)
_ROTATE_KEY = Manual(
    "Admin",
    "Give a key a new secret. The one so far opens, and signs callbacks, for `overlap_h` hours more.",
    {200: Reply("The key with its new secret.", admin_models.KeyWithSecret, _SECRET | {"old_secret_until": _AT})},
    parameters=(_KEY_ID,),
    body=admin_models.Rotation,
    body_example={"overlap_h": 24},
    is_body_optional=True,
    errors=(UnknownKey, KeyRevoked),
)
_REVOKE_KEY = Manual(
    "Admin",
    "End a key's life at once.",
    {200: Reply("It is revoked; once more is no error.", admin_models.KeyShape, _KEY | {"revoked_at": _AT})},
    parameters=(_KEY_ID,),
    errors=(UnknownKey,),
)
_JOBS = Manual(
    "Admin",
    "The jobs of all keys, the newest first.",
    {
        200: Reply(
            "A page; `next` leads to the one after it.",
            admin_models.AdminJobs,
            {"items": [manual.DONE | {"key_id": "Ab3dEf6h"}], "next": None},
        )
    },
    parameters=manual.JOBS.parameters,
    errors=(SpecError,),
)
_LIBRARY = Manual(
    "Admin",
    "What the clip library holds, which clips are skipped and why, and what the worker was asked to do about it.",
    {
        200: Reply(
            "The library.",
            admin_models.LibraryShape,
            {
                "styles": [{"name": "waves", "clips": 12}],
                "skipped": [{"clip": "styles/waves/lens_cap.mp4", "reason": "its picture does not move"}],
                "errands": [_ERRAND],
            },
        )
    },
)
_SCAN = Manual(
    "Admin",
    "Have the worker look at every clip that is new or has changed. It does so between two films.",
    {202: Reply("The errand waits.", admin_models.ErrandShape, _ERRAND, headers=_LOCATION)},
)
_UNSKIP = Manual(
    "Admin",
    "Let a skipped clip be picked again. The worker looks at it once more; one that is broken or too short stays "
    "skipped.",
    {
        202: Reply(
            "The errand waits.",
            admin_models.ErrandShape,
            _ERRAND | {"name": "unskip", "argument": "styles/waves/lens_cap.mp4"},
            headers=_LOCATION,
        )
    },
    body=admin_models.Unskip,
    body_example={"clip": "styles/waves/lens_cap.mp4"},
)
_SETTINGS = Manual(
    "Admin",
    "Every setting by its variable. Of secrets only whether they are set.",
    {200: Reply("The settings.", models.Free, {"VIX_PORT": 8080, "VIX_MASTER_KEY": "set"})},
)
_PRUNE = Manual(
    "Admin",
    "Remove what has been kept long enough. With `dry_run` only say what that would be.",
    {200: Reply("How much went, or would go.", models.Free, {"dry_run": True, "films": 3, "film_bytes": 7235172})},
    body=admin_models.Prune,
    body_example={"dry_run": True},
    is_body_optional=True,
)
_AUDIT = Manual(
    "Admin",
    "Every admin call, the newest first. Refused ones of one address are kept up to a hundred a minute.",
    {
        200: Reply(
            "A page; `next` leads to the one after it.",
            admin_models.AuditPage,
            {
                "items": [
                    {"id": 1, "at": _AT, "address": "127.0.0.1", "method": "GET", "path": "/admin/keys", "status": 200}
                ],
                "next": None,
            },
        )
    },
    parameters=(
        Parameter(
            "limit",
            "query",
            "Lines on a page.",
            {"type": "integer", "minimum": 1, "maximum": admin_house.MOST},
            admin_house.USUAL,
        ),
        manual.CURSOR,
    ),
    errors=(SpecError,),
)

ADMIN_DOORS = (
    Door("GET", "/admin/keys", admin_keys.admin_keys, ADMIN, _KEYS),
    Door("POST", "/admin/keys", admin_keys.admin_create_key, ADMIN, _CREATE_KEY),
    Door("PATCH", "/admin/keys/{key_id}", admin_keys.admin_change_key, ADMIN, _CHANGE_KEY),
    Door("DELETE", "/admin/keys/{key_id}", admin_keys.admin_revoke_key, ADMIN, _REVOKE_KEY),
    Door("POST", "/admin/keys/{key_id}/rotate", admin_keys.admin_rotate_key, ADMIN, _ROTATE_KEY),
    Door("GET", "/admin/jobs", admin_house.admin_jobs, ADMIN, _JOBS),
    Door("GET", "/admin/library", admin_library.admin_library, ADMIN, _LIBRARY),
    Door("POST", "/admin/library/scan", admin_library.admin_scan, ADMIN, _SCAN),
    Door("POST", "/admin/library/unskip", admin_library.admin_unskip, ADMIN, _UNSKIP),
    Door("GET", "/admin/settings", admin_house.admin_settings, ADMIN, _SETTINGS),
    Door("POST", "/admin/prune", admin_house.admin_prune, ADMIN, _PRUNE),
    Door("GET", "/admin/audit", admin_house.admin_audit, ADMIN, _AUDIT),
)
